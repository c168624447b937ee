"""The small MBD on room8, eight classes of short clips of a room camera: a minute on one CPU core.

    tools/dist_train.sh configs/mbd/tiny_r3d_vtn_room8.py 1

Expect data/room8/frames, JPEGs of 80 x 60 px (as tools/data/build_rawframes.py of MMAction2 makes)
and data/room8/fold1_{train,test}_rawframes.txt. Eight frames a clip (the global
pathway's 16 apart) squeezed to 56 x 56 px, as what happens may be anywhere in the picture; crops
of 48. Classes are uneven: the loss weighs them by their inverse frequency. Its comparison of MBD's
components: studies/room8.py.
"""

_base_ = './tiny_r3d_vtn.py'

cls_head = dict(
    num_classes=8,
    loss_cls=dict(
        type='CrossEntropyLoss', class_weight=[2.39, 1.77, 0.6, 3.68, 0.76, 1.5, 0.7, 0.6]
    ),
)
model = dict(
    local_pathway=dict(cls_head=cls_head),
    global_pathway=dict(
        # Positions as when the results of studies/room8.py were measured.
        backbone=dict(frame_interval=16, position_ids='frame_index'),
        cls_head=cls_head,
    ),
    distill_loss=dict(t_squared=True),  # as measured, too
)


def pipeline(frame_interval, num_clips=1, test_mode=False):
    return [
        dict(
            type='SampleFrames',
            clip_len=8,
            frame_interval=frame_interval,
            num_clips=num_clips,
            test_mode=test_mode,
        ),
        dict(type='RawFrameDecode'),
        dict(type='Resize', scale=(56, 56), keep_ratio=False),
        dict(type='CenterCrop', crop_size=48) if test_mode else dict(type='RandomCrop', size=48),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]


train_pipeline = [
    dict(
        type='mmaction_kd.PathwayPipelines',
        pathways=dict(local_pathway=pipeline(1), global_pathway=pipeline(16)),
    )
]
test_pipeline = [  # 3 clips x 1 crop
    dict(
        type='mmaction_kd.PathwayPipelines',
        pathways=dict(local_pathway=pipeline(1, 3, True), global_pathway=pipeline(16, 3, True)),
    )
]
train_dataloader = dict(
    dataset=dict(
        type='RawframeDataset',
        ann_file='data/room8/fold1_train_rawframes.txt',
        data_prefix=dict(_delete_=True, img='data/room8/frames'),
        pipeline=train_pipeline,
    )
)
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='RawframeDataset',
        ann_file='data/room8/fold1_test_rawframes.txt',
        data_prefix=dict(_delete_=True, img='data/room8/frames'),
        pipeline=test_pipeline,
    ),
)
optim_wrapper = dict(optimizer=dict(fused=True))
