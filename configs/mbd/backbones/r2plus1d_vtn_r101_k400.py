"""Fig. 4 of MBD: ResNet-101 for the frames of the global pathway.

    tools/dist_train.sh configs/mbd/backbones/r2plus1d_vtn_r101_k400.py 8

Expect what the main config logs. Pre-train its own pathway first, by vtn_r101_k400.py.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    global_pathway=dict(
        _delete_=True,
        config='mmaction_kd::mbd/backbones/vtn_r101_k400.py',
        checkpoint='work_dirs/vtn_r101_k400/epoch_60.pth',
        backbone=dict(spatial_backbone=dict(init_cfg=None)),  # the checkpoint has it
    ),
)
