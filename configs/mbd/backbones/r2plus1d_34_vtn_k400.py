"""Fig. 4 of MBD: R(2+1)D-34 for the local pathway.

    tools/dist_train.sh configs/mbd/backbones/r2plus1d_34_vtn_k400.py 8

Expect what the main config logs. Pre-train its own pathway first, by r2plus1d_34_k400.py.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction_kd::mbd/backbones/r2plus1d_34_k400.py',
        checkpoint='work_dirs/r2plus1d_34_k400/epoch_45.pth',
    ),
)
