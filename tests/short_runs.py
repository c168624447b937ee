"""Runs of tiny models by MMEngine, a few steps long, to compare what they log."""

import itertools

import tiny_dtkd
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.registry import DATASETS, HOOKS, MODELS
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmaction_kd.observations import take_observations

RUNS = itertools.count()  # each run of a process needs a name of its own


@DATASETS.register_module()
class PatternVideos(Dataset):
    """Eight videos for MBD or DTKD, each a pattern of its own."""

    def __init__(self, pathways=()):
        self.pathways = pathways

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clip = torch.randint(0, 256, (1, 3, 8, 16, 16), generator=generator).byte()
        label = index % (tiny_mbd.CLASSES if self.pathways else tiny_dtkd.CLASSES)
        return dict(
            inputs={name: clip for name in self.pathways} if self.pathways else clip,
            data_samples=ActionDataSample().set_gt_label(label),
        )


@HOOKS.register_module()
class KeepLosses(Hook):
    """Keep what each step returns to be logged, and the sums of what the losses saw of samples."""

    def __init__(self):
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        logged = {name: float(torch.as_tensor(value).detach()) for name, value in outputs.items()}
        for source, seen in take_observations().items():
            for name, values in seen.values.items():
                logged[f'seen {source} {name}'] = float(values.float().sum())
        self.steps.append(logged)


@MODELS.register_module()
class OneConvolution(BaseModule):
    """A backbone that is quick to compile."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv3d(3, 8, 3, stride=2, padding=1)

    def forward(self, x):
        return self.conv(x).relu()


def tiny_model(method, backbone='r3d'):
    """A config without dropout, 'dtkd' of three CNNs, 'mbd' of such a CNN and a VTN.

    Args:
        method: 'mbd' or 'dtkd'.
        backbone: of the CNNs, 'r3d' (with BatchNorm) or 'conv'; then MBD has two.
    """
    num_classes = tiny_mbd.CLASSES if method == 'mbd' else tiny_dtkd.CLASSES
    cnn = tiny_dtkd.recognizer(num_classes)
    cnn['cls_head'].update(dropout_ratio=0, init_std=1.0)  # the scores depend on the video
    if backbone == 'conv':
        cnn['backbone'] = dict(type='mmengine.OneConvolution')
        cnn['cls_head']['in_channels'] = 8
    if method == 'dtkd':
        heads = {
            name: dict(cnn['cls_head'], num_classes=len(classes))
            for name, classes in tiny_dtkd.SUBSETS.items()
        }
        return tiny_dtkd.distiller_config(
            student=cnn,
            teachers={
                name: dict(backbone=cnn['backbone'], cls_head=head) for name, head in heads.items()
            },
            loss=dict(outside_score='buffer'),  # routed: a teacher sees its own samples only
        )
    shape = (1, 3, 8, 16, 16)
    layer = 'backbone.layer3' if backbone == 'r3d' else 'backbone.conv'
    local = dict(local_pathway=cnn)
    features = dict(local_pathway=dict(path=layer, input_shape=shape))
    features['global_pathway'] = 'backbone.temporal_encoder.layers.0'
    if backbone == 'conv':
        local['global_pathway'] = cnn
        features['global_pathway'] = features['local_pathway']
    return tiny_mbd.mbd_config(**local, features=features)


def make_run(method, work_dir, hooks=(), epochs=2, backbone='r3d', **changes):
    """A Runner of a tiny model: two steps of four videos an epoch, and a test of eight."""
    pathways = ('local_pathway', 'global_pathway') if method == 'mbd' else ()
    videos = dict(type='mmengine.PatternVideos', pathways=pathways)
    loader = dict(dataset=videos, batch_size=4, num_workers=0)
    cfg = dict(
        model=tiny_model(method, backbone),
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.name}_{next(RUNS)}',
        train_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=True)),
        test_dataloader=dict(loader, sampler=dict(type='DefaultSampler', shuffle=False)),
        test_evaluator=dict(type='AccMetric', metric_list=('top_k_accuracy',)),
        test_cfg=dict(),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.001, momentum=0.9)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[dict(type='mmengine.KeepLosses'), *hooks],
        randomness=dict(seed=0),
        log_level='ERROR',
        default_scope='mmaction',
    )
    return Runner.from_cfg({**cfg, **changes})


def losses_of(runner):
    """What a run logged at each step."""
    (kept,) = (hook for hook in runner.hooks if isinstance(hook, KeepLosses))
    return kept.steps


def train(method, work_dir, **changes):
    """Train; returns what was logged at each step, and the runner."""
    runner = make_run(method, work_dir, **changes)
    runner.train()
    return losses_of(runner), runner
