"""Pre-train MBD's global pathway alone: VTN on an ImageNet ViT-B/16, 60 epochs, 64 videos a step.

    tools/dist_train.sh configs/mbd/vtn_vit_b_k400.py 8

Expect what `r2plus1d_vtn_k400.py` starts from: work_dirs/vtn_vit_b_k400/epoch_60.pth.
The test has 10 clips and their centre crop (3.2), not the three of 3.4.
"""

_base_ = [
    '../_base_/pathways/vtn_vit_b.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
model = _base_.global_pathway
# ImageNet weights of mmpretrain's zoo; its position embeddings are resized to 224 pixels.
model.backbone.spatial_backbone = dict(
    type='mmpretrain.VisionTransformer',
    arch='b',
    img_size=224,
    patch_size=16,
    out_type='cls_token',
    init_cfg=dict(
        type='Pretrained',
        prefix='backbone',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/vit/finetune/'
        'vit-base-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-98e8652b.pth',
    ),
)
train_pipeline = _base_.global_train_pipeline
val_pipeline = _base_.global_val_pipeline
test_pipeline = _base_.global_test_pipeline
test_pipeline[4] = dict(type='CenterCrop', crop_size=224)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=60)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=60, eta_min=0, by_epoch=True)]
auto_scale_lr = dict(enable=False, base_batch_size=64)
