"""MBD on Kinetics-400: R(2+1)D-50 and VTN (ViT-B) teach each other, 120 epochs, 32 videos a step.

    tools/dist_train.sh configs/mbd/r2plus1d_vtn_k400.py 8

Starts from both pathways pre-trained by r2plus1d_50_k400.py and vtn_vit_b_k400.py (or converted by
tools/model_converters; to start from nothing, set each `checkpoint` to None). Expect the log to
show the terms of each pathway, and the test, 10 clips x 3 crops, acc/fused_top1, acc/local_top1 and
acc/global_top1.
"""

_base_ = [
    '../_base_/pathways/r2plus1d_50.py',
    '../_base_/pathways/vtn_vit_b.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='mmaction_kd.MBDRecognizer',
    local_pathway=dict(
        checkpoint='work_dirs/r2plus1d_50_k400/epoch_45.pth', **_base_.local_pathway
    ),
    global_pathway=dict(
        checkpoint='work_dirs/vtn_vit_b_k400/epoch_60.pth', **_base_.global_pathway
    ),
    # Details, not semantics (2.3): half-way through the 3D CNN, 4 time steps of 512 channels;
    # and the 16 frames before the temporal encoder relates them, in 4 steps, too.
    features=dict(
        local_pathway=dict(path='backbone.layer2', tokens='frames'),
        global_pathway=dict(path='backbone.frame_projection', tokens='frames'),
    ),
    distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', kl_weight=0.6, mse_weight=0.4),
    fusion_head=dict(type='mmaction_kd.AdaptiveFusionHead'),
)
train_pipeline = [
    dict(
        type='mmaction_kd.PathwayPipelines',
        backend='opencv',  # the frames of decord on one core, see configs/README.md
        pathways=dict(
            local_pathway=_base_.local_train_pipeline, global_pathway=_base_.global_train_pipeline
        ),
    )
]
val_pipeline = [
    dict(
        type='mmaction_kd.PathwayPipelines',
        backend='opencv',
        pathways=dict(
            local_pathway=_base_.local_val_pipeline, global_pathway=_base_.global_val_pipeline
        ),
    )
]
test_pipeline = [
    dict(
        type='mmaction_kd.PathwayPipelines',
        backend='opencv',
        pathways=dict(
            local_pathway=_base_.local_test_pipeline, global_pathway=_base_.global_test_pipeline
        ),
    )
]
train_dataloader = dict(batch_size=4, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=4, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='mmaction_kd.PathwayAccMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=0.005))
train_cfg = dict(max_epochs=120, val_interval=5)
param_scheduler = [dict(type='CosineAnnealingLR', T_max=120, eta_min=0, by_epoch=True)]
auto_scale_lr = dict(enable=False, base_batch_size=32)
