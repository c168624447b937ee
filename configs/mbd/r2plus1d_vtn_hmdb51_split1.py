"""MBD on HMDB51, split 1, from both pathways pre-trained on Kinetics-400 (4.2).

    tools/dist_train.sh configs/mbd/r2plus1d_vtn_hmdb51_split1.py 8

Starts as r2plus1d_vtn_k400.py does, but for the 51-way classifiers. Another split: the three
`ann_file`. The mean over the splits: studies/finetuned.py.
"""

_base_ = './r2plus1d_vtn_k400.py'

# Stride 4 and not 8: 128 frames exceed most videos (3 s at 30 fps), and a clip that runs over the
# end starts again, which shows the transformer an order of events that never was.
model = dict(
    local_pathway=dict(cls_head=dict(num_classes=51)),
    global_pathway=dict(backbone=dict(frame_interval=4), cls_head=dict(num_classes=51)),
)
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[0].pathways.global_pathway[1].frame_interval = 4
val_pipeline[0].pathways.global_pathway[1].frame_interval = 4
test_pipeline[0].pathways.global_pathway[1].frame_interval = 4

data_prefix = dict(video='data/hmdb51/videos')
train_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_train_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=val_pipeline,
    )
)
test_dataloader = dict(dataset=dict(val_dataloader['dataset'], pipeline=test_pipeline))
