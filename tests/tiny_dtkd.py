"""DTKD configs small enough for a test: R3D-18 (BatchNorm, dropout) of a thirty-second width."""

import inspect

import torch
from mmaction.structures import ActionDataSample

from mmaction_kd.models.losses import HybridScore
from mmaction_kd.registry import MODELS

CLASSES = 6
SUBSETS = dict(dynamic=[0, 3, 4, 5], static=[1, 2])
OF_HYBRID_SCORE = inspect.signature(HybridScore).parameters
PREPROCESSOR = dict(
    type='ActionDataPreprocessor', mean=[110.0] * 3, std=[60.0] * 3, format_shape='NCTHW'
)


def recognizer(num_classes: int = CLASSES, **changes) -> dict:
    """An ordinary MMAction2 recognizer config."""
    return dict(
        dict(
            type='Recognizer3D',
            backbone=dict(
                type='ResNet3d',
                depth=18,
                base_channels=2,
                conv1_kernel=(3, 3, 3),
                conv1_stride_t=1,
                pool1_stride_t=1,
                inflate=(1, 1, 1, 1),
                norm_eval=False,
                pretrained=None,
            ),
            cls_head=dict(
                type='I3DHead',
                num_classes=num_classes,
                in_channels=16,
                dropout_ratio=0.5,
                topk=1,
                average_clips='prob',
            ),
            data_preprocessor=PREPROCESSOR,
        ),
        **changes,
    )


def loss_config(weighting: str = 'HybridScore', **settings) -> dict:
    """Config of the loss; settings of HybridScore go to the weighting."""
    score = {key: settings.pop(key) for key in OF_HYBRID_SCORE if key in settings}
    return dict(
        type='mmaction_kd.SubsetDistillLoss',
        weighting=dict(type=f'mmaction_kd.{weighting}', **score),
        **settings,
    )


def make_loss(num_classes: int, subsets: dict, weighting: str = 'HybridScore', **settings):
    """Build the loss from flat settings, as :func:`loss_config` takes them."""
    cfg = loss_config(weighting, num_classes=num_classes, subsets=subsets, **settings)
    return MODELS.build(cfg)


def distiller_config(teachers: dict | None = None, loss: dict | None = None, **changes) -> dict:
    """A student with two such teachers; ``loss`` and ``teachers`` change theirs."""
    teachers = teachers or {}
    return dict(
        dict(
            type='mmaction_kd.DualTeacherDistiller',
            student=recognizer(),
            teachers={
                name: recognizer(len(classes), **teachers.get(name, {}))
                for name, classes in SUBSETS.items()
            },
            distill_loss=loss_config(**{'subsets': SUBSETS, **(loss or {})}),
        ),
        **changes,
    )


def build(cfg: dict | None = None, seed: int = 0):
    """Build and initialise a model with large enough heads that its scores depend on the video."""
    torch.manual_seed(seed)
    model = MODELS.build(distiller_config() if cfg is None else cfg)
    model.init_weights()
    for part in (model, *getattr(model, 'teachers', {}).values()):
        for module in part.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.normal_(module.weight, std=2.0)
    return model


def batch(labels, views: int = 1, seed: int = 0, dtype=torch.float32):
    """Inputs (N, V, C, T, H, W), as the preprocessor leaves them, and samples with these labels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(labels), views, 3, 4, 16, 16)
    inputs = torch.randn(shape, generator=generator, dtype=dtype)
    return inputs, [ActionDataSample().set_gt_label(int(y)) for y in labels]
