"""Pre-train MBD's local pathway alone: R(2+1)D-34 of MMAction2, with a max-pool in its stem.

    tools/dist_train.sh configs/mbd/backbones/r2plus1d_34_k400.py 8

Expect what `r2plus1d_34_vtn_k400.py` starts from: work_dirs/r2plus1d_34_k400/epoch_45.pth.
"""

_base_ = '../r2plus1d_50_k400.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet2Plus1d',
        depth=34,
        pretrained=None,
        pretrained2d=False,
        norm_eval=False,
        conv_cfg=dict(type='Conv2plus1d'),
        conv1_kernel=(3, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=1,
        inflate=(1, 1, 1, 1),
        temporal_strides=(1, 2, 2, 2),
        zero_init_residual=False,
    ),
    cls_head=dict(in_channels=512),
)
