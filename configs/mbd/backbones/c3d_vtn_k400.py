"""Beyond the figures of MBD, named in 2.1: C3D for the local pathway.

    tools/dist_train.sh configs/mbd/backbones/c3d_vtn_k400.py 8

Expect what the main config logs. Pre-train its own pathway first, by c3d_k400.py.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction_kd::mbd/backbones/c3d_k400.py',
        checkpoint='work_dirs/c3d_k400/epoch_45.pth',
    ),
    features=dict(local_pathway=dict(path='backbone.conv3b', input_shape=(1, 3, 16, 112, 112))),
)
optim_wrapper = dict(clip_grad=dict(max_norm=40))  # it has no BN
