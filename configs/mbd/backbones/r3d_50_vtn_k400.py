"""Beyond the figures of MBD, named in 2.1: R3D-50 for the local pathway.

    tools/dist_train.sh configs/mbd/backbones/r3d_50_vtn_k400.py 8

Expect what the main config logs. Pre-train its own pathway first, by r3d_50_k400.py.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction_kd::mbd/backbones/r3d_50_k400.py',
        checkpoint='work_dirs/r3d_50_k400/epoch_45.pth',
    ),
)
