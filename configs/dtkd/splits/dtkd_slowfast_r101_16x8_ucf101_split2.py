"""DTKD on UCF101, split 2; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/dtkd_slowfast_r101_16x8_ucf101_split2.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_ucf101_split1.py'

subsets = 'data/ucf101/subsets_split2.json'
model = dict(
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/splits/slowfast_r101_16x8_dynamic_ucf101_split2.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_ucf101_split2/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/splits/slowfast_r101_16x8_static_ucf101_split2.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_ucf101_split2/epoch_30.pth',
        ),
    ),
    distill_loss=dict(subsets=subsets),
)
train_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_train_split_2_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_val_split_2_videos.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
