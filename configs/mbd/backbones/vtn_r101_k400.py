"""Pre-train MBD's global pathway alone: VTN on an ImageNet ResNet-101, tokens of 2048 dimensions.

    tools/dist_train.sh configs/mbd/backbones/vtn_r101_k400.py 8

Expect what `r2plus1d_vtn_r101_k400.py` starts from: work_dirs/vtn_r101_k400/epoch_60.pth.
"""

_base_ = '../vtn_vit_b_k400.py'

model = dict(
    backbone=dict(
        spatial_backbone=dict(
            _delete_=True,
            type='mmpretrain.ResNet',
            depth=101,
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet101'),
        ),
        embed_dims=2048,
        num_heads=16,  # 12 do not divide 2048
    ),
    cls_head=dict(in_channels=2048),
)
