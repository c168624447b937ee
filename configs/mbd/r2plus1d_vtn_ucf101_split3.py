"""MBD on UCF101, split 3; all else is as on split 1.

tools/dist_train.sh configs/mbd/r2plus1d_vtn_ucf101_split3.py 8
"""

_base_ = './r2plus1d_vtn_ucf101_split1.py'

train_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_train_split_3_videos.txt'))
val_dataloader = dict(dataset=dict(ann_file='data/ucf101/ucf101_val_split_3_videos.txt'))
test_dataloader = val_dataloader
