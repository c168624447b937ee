"""MBD on UCF101, split 1, from both pathways pre-trained on Kinetics-400 (4.2).

    tools/dist_train.sh configs/mbd/r2plus1d_vtn_ucf101_split1.py 8

Starts as r2plus1d_vtn_k400.py does, but for the 101-way classifiers. Another split: the three
`ann_file`. The mean over the splits: studies/finetuned.py.
"""

_base_ = './r2plus1d_vtn_k400.py'
# The global clip spans 16 x 8 = 128 frames, as on Kinetics: most videos are longer (7 s at 25 fps).
model = dict(
    local_pathway=dict(cls_head=dict(num_classes=101)),
    global_pathway=dict(cls_head=dict(num_classes=101)),
)

data_prefix = dict(video='data/ucf101/videos')
train_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_train_split_1_videos.txt', data_prefix=data_prefix)
)
val_dataloader = dict(
    dataset=dict(ann_file='data/ucf101/ucf101_val_split_1_videos.txt', data_prefix=data_prefix)
)
test_dataloader = val_dataloader
