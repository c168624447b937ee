"""DTKD's dynamic teacher on HMDB51, split 3; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/slowfast_r101_16x8_dynamic_hmdb51_split3.py 8
"""

_base_ = '../slowfast_r101_16x8_dynamic_hmdb51_split1.py'

subsets = 'data/hmdb51/subsets_split3.json'
train_dataloader = dict(
    dataset=dict(
        dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_videos.txt'), subsets=subsets
    )
)
val_dataloader = dict(
    dataset=dict(
        dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_videos.txt'), subsets=subsets
    )
)
test_dataloader = val_dataloader
