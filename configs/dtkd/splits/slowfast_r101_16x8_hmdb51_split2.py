"""SlowFast R101 16x8 on HMDB51, split 2; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/slowfast_r101_16x8_hmdb51_split2.py 8
"""

_base_ = '../slowfast_r101_16x8_hmdb51_split1.py'

subsets = 'data/hmdb51/subsets_split2.json'
train_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_2_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_2_videos.txt'))
test_dataloader = val_dataloader
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
