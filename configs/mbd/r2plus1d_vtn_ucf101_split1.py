"""MBD on UCF101, split 1, from the Kinetics-400 model.

    tools/dist_train.sh configs/mbd/r2plus1d_vtn_ucf101_split1.py 8

Starts from work_dirs/r2plus1d_vtn_k400/epoch_120.pth, but for the 101-way classifiers.
"""

_base_ = './r2plus1d_vtn_k400.py'
# The global clip spans 16 x 8 = 128 frames, as on Kinetics: most videos are longer (7 s at 25 fps).
model = dict(
    local_pathway=dict(checkpoint=None, cls_head=dict(num_classes=101)),
    global_pathway=dict(checkpoint=None, cls_head=dict(num_classes=101)),
)
load_from = 'work_dirs/r2plus1d_vtn_k400/epoch_120.pth'

data_prefix = dict(video='data/ucf101/videos')
train_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_train_split_1_videos.txt', data_prefix=data_prefix)
)
val_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_val_split_1_videos.txt', data_prefix=data_prefix)
)
test_dataloader = val_dataloader
