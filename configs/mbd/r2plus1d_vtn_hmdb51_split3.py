"""MBD on HMDB51, split 3; all else is as on split 1.

tools/dist_train.sh configs/mbd/r2plus1d_vtn_hmdb51_split3.py 8
"""

_base_ = './r2plus1d_vtn_hmdb51_split1.py'

train_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_3_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_3_videos.txt'))
test_dataloader = val_dataloader
