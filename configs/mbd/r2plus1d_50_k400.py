"""Pre-train MBD's local pathway alone: R(2+1)D-50, 45 epochs, 64 videos a step.

    tools/dist_train.sh configs/mbd/r2plus1d_50_k400.py 8

Expect what `r2plus1d_vtn_k400.py` starts from: work_dirs/r2plus1d_50_k400/epoch_45.pth.
The test has 10 clips and their centre crop (3.1), not the three of 3.4.
"""

_base_ = [
    '../_base_/pathways/r2plus1d_50.py',
    '../_base_/datasets/kinetics400.py',
    '../_base_/schedules/sgd_cosine.py',
    '../_base_/default_runtime.py',
]
model = _base_.local_pathway
train_pipeline = _base_.local_train_pipeline
val_pipeline = _base_.local_val_pipeline
test_pipeline = _base_.local_test_pipeline
test_pipeline[4] = dict(type='CenterCrop', crop_size=112)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=64)
