"""Beyond the paper, on Kinetics-400: other models as pathways.

    python tools/study.py configs/mbd/studies/pathways_k400.py --devices 8

The other models start from MMAction2's published checkpoints, which their configs name.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD with other pathways'
baseline = 'r2plus1d_vtn'
from_local, from_global = ({key: value} for key, value in _base_.pretrained.items())
arms = dict(
    r2plus1d_vtn=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
    slowfast_vtn=dict(config='../pathways/slowfast_vtn_k400.py', options=from_global),
    x3d_vtn=dict(config='../pathways/x3d_vtn_k400.py', options=from_global),
    tsm_vtn=dict(config='../pathways/tsm_vtn_k400.py', options=from_global),
    r2plus1d_swin=dict(config='../pathways/r2plus1d_swin_k400.py', options=from_local),
    r2plus1d_mvit=dict(config='../pathways/r2plus1d_mvit_k400.py', options=from_local),
)
figures = [dict(kind='bars', title='Other pathways', metrics=['acc/fused_top1'])]
