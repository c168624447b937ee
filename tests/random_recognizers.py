"""Small recognizers of random weights, whose scores depend on the video."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.registry import DefaultScope

ROOT = Path(__file__).parents[1]
MBD, FROZEN_MBD, STUDENT = (
    str(ROOT / f'configs/{name}.py')
    for name in ('mbd/tiny_r3d_vtn', 'mbd/tiny_efficientnet_tcn_vtn', 'dtkd/tiny_slowfast')
)
TSN = dict(
    model=dict(
        type='Recognizer2D',
        backbone=dict(type='ResNet', pretrained=None, depth=18),
        cls_head=dict(
            type='TSNHead',
            num_classes=4,
            in_channels=512,
            consensus=dict(type='AvgConsensus', dim=1),
            average_clips='score',
        ),
        data_preprocessor=dict(
            type='ActionDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            to_rgb=True,
            format_shape='NCHW',
        ),
    ),
    test_pipeline=[
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=1, frame_interval=1, num_clips=5, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 32)),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='FormatShape', input_format='NCHW'),
        dict(type='PackActionInputs'),
    ],
)


@pytest.fixture(autouse=True)
def own_scope():
    """What init_recognizer sets globally ends with the test; for the modules that import it."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def unchanged(cfg):
    pass


def random_recognizer(config, change=unchanged):
    """A model of a config (path or content), which ``change`` may edit."""
    cfg = Config.fromfile(config) if isinstance(config, str) else Config(deepcopy(config))
    change(cfg)
    torch.manual_seed(0)
    model = init_recognizer(cfg, None, 'cpu')
    for name, weight in model.named_parameters():
        if name.endswith('fc_cls.weight'):
            weight.data.normal_(std=1 if weight.shape[1] < 512 else 0.1)
    return model
