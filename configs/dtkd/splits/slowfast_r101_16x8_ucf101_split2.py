"""SlowFast R101 16x8 on UCF101, split 2; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/slowfast_r101_16x8_ucf101_split2.py 8
"""

_base_ = '../slowfast_r101_16x8_ucf101_split1.py'

subsets = 'data/ucf101/subsets_split2.json'
train_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_train_split_2_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_val_split_2_videos.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
