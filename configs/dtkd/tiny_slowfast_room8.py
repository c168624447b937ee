"""The small SlowFast on room8, eight classes of short clips of a room camera: a minute on one core.

    tools/dist_train.sh configs/dtkd/tiny_slowfast_room8.py 1

Expect data/room8/frames, JPEGs of 80 x 60 px (as tools/data/build_rawframes.py of MMAction2 makes)
and data/room8/fold1_{train,test}_rawframes.txt. Frames are squeezed to 56 x 56 px, as what happens
may be anywhere in the picture; crops of 48. Classes are uneven: the loss weighs them by their
inverse frequency. Validates every third epoch, for curves. Its comparison of baseline, BSKD and
DTKD over folds and seeds: studies/room8.py.
"""

_base_ = './tiny_slowfast.py'

model = dict(
    cls_head=dict(
        num_classes=8,
        loss_cls=dict(
            type='CrossEntropyLoss', class_weight=[2.39, 1.77, 0.6, 3.68, 0.76, 1.5, 0.7, 0.6]
        ),
    )
)
train_pipeline = [
    dict(type='SampleFrames', clip_len=16, frame_interval=6, num_clips=1),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(56, 56), keep_ratio=False),
    dict(type='RandomCrop', size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),  # errors name the video
]
test_pipeline = [  # 3 clips x 1 crop
    dict(type='SampleFrames', clip_len=16, frame_interval=6, num_clips=3, test_mode=True),
    dict(type='RawFrameDecode'),
    dict(type='Resize', scale=(56, 56), keep_ratio=False),
    dict(type='CenterCrop', crop_size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('frame_dir',)),
]
test_data = dict(
    type='RawframeDataset',
    ann_file='data/room8/fold1_test_rawframes.txt',
    data_prefix=dict(img='data/room8/frames'),
    pipeline=test_pipeline,
    test_mode=True,
)
train_dataloader = dict(
    dataset=dict(
        type='RawframeDataset',
        ann_file='data/room8/fold1_train_rawframes.txt',
        data_prefix=dict(_delete_=True, img='data/room8/frames'),
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=test_data,
)
test_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(_delete_=True, **test_data)
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(type='AccMetric')
test_evaluator = dict(_delete_=True, type='AccMetric')
optim_wrapper = dict(optimizer=dict(fused=True))
train_cfg = dict(max_epochs=12, val_interval=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=12, eta_min=0, convert_to_iter_based=True),
]
