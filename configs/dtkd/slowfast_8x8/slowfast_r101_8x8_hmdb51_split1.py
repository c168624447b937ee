"""SlowFast R101 8x8 on HMDB51, split 1: DTKD's baseline, the student without teachers.

    tools/dist_train.sh configs/dtkd/slowfast_8x8/slowfast_r101_8x8_hmdb51_split1.py 8

Starts from the Kinetics-400 weights that tools/model_converters/pytorchvideo_slowfast.py makes of
the published ones, but for the 51-way classifier. Expect acc/top1 over all classes, and
acc/static_mean1 and acc/dynamic_mean1 within the subsets.
"""

_base_ = [
    '../../_base_/recognizers/slowfast_r101_8x8.py',
    '../../_base_/datasets/hmdb51_split1.py',
    '../../_base_/schedules/sgd_finetune.py',
    '../../_base_/default_runtime.py',
]
model = dict(cls_head=dict(num_classes=51), data_preprocessor=_base_.normalization)
load_from = 'work_dirs/slowfast_r101_8x8_k400.pth'

train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[1].clip_len = 32
val_pipeline[1].clip_len = 32
test_pipeline[1].clip_len = 32
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
