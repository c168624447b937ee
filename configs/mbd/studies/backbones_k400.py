"""Fig. 4 of MBD on Kinetics-400: other local backbones, other spatial backbones of VTN.

    python tools/study.py configs/mbd/studies/backbones_k400.py --devices 8

Each backbone is pre-trained alone first. Parameters and GMACs of each: configs/mbd/README.md.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Fig. 4: backbones'
baseline = 'r2plus1d_50_vit_b'
from_local, from_global = _base_.pretrained.items()
arms = dict(
    r2plus1d_34=dict(config='../backbones/r2plus1d_34_k400.py', once_per='study'),
    r3d_50=dict(config='../backbones/r3d_50_k400.py', once_per='study'),
    c3d=dict(config='../backbones/c3d_k400.py', once_per='study'),
    vtn_r101=dict(config='../backbones/vtn_r101_k400.py', once_per='study'),
    vtn_r50=dict(config='../backbones/vtn_r50_k400.py', once_per='study'),
    r2plus1d_50_vit_b=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
    r2plus1d_34_vit_b=dict(
        config='../backbones/r2plus1d_34_vtn_k400.py',
        options={**_base_.pretrained, from_local[0]: '{r2plus1d_34.checkpoint}'},
    ),
    r3d_50_vit_b=dict(
        config='../backbones/r3d_50_vtn_k400.py',
        options={**_base_.pretrained, from_local[0]: '{r3d_50.checkpoint}'},
    ),
    c3d_vit_b=dict(
        config='../backbones/c3d_vtn_k400.py',
        options={**_base_.pretrained, from_local[0]: '{c3d.checkpoint}'},
    ),
    r2plus1d_50_r101=dict(
        config='../backbones/r2plus1d_vtn_r101_k400.py',
        options={**_base_.pretrained, from_global[0]: '{vtn_r101.checkpoint}'},
    ),
    r2plus1d_50_r50=dict(
        config='../backbones/r2plus1d_vtn_r50_k400.py',
        options={**_base_.pretrained, from_global[0]: '{vtn_r50.checkpoint}'},
    ),
)
paper = dict(r2plus1d_50_vit_b=83.5)
figures = [dict(kind='bars', title='Backbones', metrics=['acc/fused_top1'])]
