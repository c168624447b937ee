"""MBD on Something-Something V2, from both pathways pre-trained on Kinetics-400 (4.2).

    tools/dist_train.sh configs/mbd/r2plus1d_vtn_sthv2.py 8

Starts as r2plus1d_vtn_k400.py does, but for the 174-way classifiers.
"""

_base_ = './r2plus1d_vtn_k400.py'

# Stride 2 and not 8: videos have 2 to 6 s at 12 fps, so that 16 x 2 = 32 frames are most of one.
model = dict(
    local_pathway=dict(cls_head=dict(num_classes=174)),
    global_pathway=dict(backbone=dict(frame_interval=2), cls_head=dict(num_classes=174)),
)
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[0].pathways.global_pathway[1].frame_interval = 2
val_pipeline[0].pathways.global_pathway[1].frame_interval = 2
test_pipeline[0].pathways.global_pathway[1].frame_interval = 2
# No flips: they turn 'from left to right' into another class.
train_pipeline[0].pathways.local_pathway[5].flip_ratio = 0
train_pipeline[0].pathways.global_pathway[5].flip_ratio = 0

data_prefix = dict(video='data/sthv2/videos')
train_dataloader = dict(
    dataset=dict(
        ann_file='data/sthv2/sthv2_train_list_videos.txt',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    )
)
# Also the test's, as the labels of the test list are not public; MBD writes "test set" (4).
val_dataloader = dict(
    dataset=dict(
        ann_file='data/sthv2/sthv2_val_list_videos.txt',
        data_prefix=data_prefix,
        pipeline=val_pipeline,
    )
)
test_dataloader = dict(dataset=dict(val_dataloader['dataset'], pipeline=test_pipeline))
