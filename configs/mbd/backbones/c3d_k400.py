"""Pre-train MBD's local pathway alone: C3D, from the Sports-1M weights of MMAction2's zoo.

    tools/dist_train.sh configs/mbd/backbones/c3d_k400.py 8

Expect what `c3d_vtn_k400.py` starts from: work_dirs/c3d_k400/epoch_45.pth.
Learning rate and clipping are those of its own config there: it has no BN.
"""

_base_ = '../r2plus1d_50_k400.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='C3D',
        pretrained='https://download.openmmlab.com/mmaction/recognition/c3d/'
        'c3d_sports1m_pretrain_20201016-dcc47ddc.pth',
    ),
    cls_head=dict(in_channels=4096, spatial_type=None),
    data_preprocessor=dict(mean=[104, 117, 128], std=[1, 1, 1]),
)
optim_wrapper = dict(optimizer=dict(lr=0.001), clip_grad=dict(max_norm=40))
