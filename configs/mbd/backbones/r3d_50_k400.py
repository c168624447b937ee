"""Pre-train MBD's local pathway alone: R3D-50, a ResNet-50 whose 3 x 3 are 3 x 3 x 3.

    tools/dist_train.sh configs/mbd/backbones/r3d_50_k400.py 8

Expect what `r3d_50_vtn_k400.py` starts from: work_dirs/r3d_50_k400/epoch_45.pth.
"""

_base_ = '../r2plus1d_50_k400.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet3d',
        depth=50,
        pretrained=None,
        pretrained2d=False,
        norm_eval=False,
        conv1_kernel=(7, 7, 7),
        conv1_stride_t=1,
        pool1_stride_t=2,
        inflate=(1, 1, 1, 1),
        inflate_style='3x3x3',
        temporal_strides=(1, 2, 2, 2),
        zero_init_residual=False,
    ),
)
