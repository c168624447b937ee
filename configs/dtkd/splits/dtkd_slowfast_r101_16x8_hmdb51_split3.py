"""DTKD on HMDB51, split 3; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/dtkd_slowfast_r101_16x8_hmdb51_split3.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_hmdb51_split1.py'

subsets = 'data/hmdb51/subsets_split3.json'
model = dict(
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/splits/slowfast_r101_16x8_dynamic_hmdb51_split3.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_hmdb51_split3/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/splits/slowfast_r101_16x8_static_hmdb51_split3.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_hmdb51_split3/epoch_30.pth',
        ),
    ),
    distill_loss=dict(subsets=subsets),
)
train_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_videos.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
