"""Beyond the paper's figures, on Kinetics-400: other models as pathways.

    python tools/study.py configs/mbd/studies/pathways_k400.py --devices 8

R3D and C3D, which the paper names (2.1), are pre-trained first; the others start from MMAction2's
published checkpoints, which their configs name.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD with other pathways'
baseline = 'r2plus1d_vtn'
from_local, from_global = ({key: value} for key, value in _base_.pretrained.items())
(local_checkpoint,) = from_local
arms = dict(
    r2plus1d_vtn=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
    r3d_50=dict(config='../backbones/r3d_50_k400.py', once_per='study'),
    c3d=dict(config='../backbones/c3d_k400.py', once_per='study'),
    r3d_50_vtn=dict(
        config='../backbones/r3d_50_vtn_k400.py',
        options={**from_global, local_checkpoint: '{r3d_50.checkpoint}'},
    ),
    c3d_vtn=dict(
        config='../backbones/c3d_vtn_k400.py',
        options={**from_global, local_checkpoint: '{c3d.checkpoint}'},
    ),
    slowfast_vtn=dict(config='../pathways/slowfast_vtn_k400.py', options=from_global),
    x3d_vtn=dict(config='../pathways/x3d_vtn_k400.py', options=from_global),
    tsm_vtn=dict(config='../pathways/tsm_vtn_k400.py', options=from_global),
    r2plus1d_swin=dict(config='../pathways/r2plus1d_swin_k400.py', options=from_local),
    r2plus1d_mvit=dict(config='../pathways/r2plus1d_mvit_k400.py', options=from_local),
)
figures = [dict(kind='bars', title='Other pathways', metrics=['acc/fused_top1'])]
