"""UCF101, split 1, for SlowFast: clips of 64 frames, 2 apart at 30 fps, so of 4.27 s.

A shorter video ends with its last frame repeated: starting again would show a motion that never
was. Training as in DTKD: a random short side, a random crop, flips; the sizes, which it does not
give, are those of the code below it (256 to 320, 256). Validation is one clip from the middle and
one crop. The paper does not give its test views: here they are the usual 10 clips x 3 crops. One
view from the middle is

    --cfg-options test_dataloader.dataset.pipeline.1.num_clips=1
                  test_dataloader.dataset.pipeline.4.type=CenterCrop

``subsets`` lists the static and the dynamic classes: the paper's, or a file that
tools/data/optical_flow_subsets.py writes.
"""

subsets = 'ucf101'  # the paper's lists of classes
# One key for all models. These are the statistics of the Kinetics-400 weights (0.45 and 0.225,
# times 255), which all runs start from: frozen layers and batch norms expect them. The paper has
# those of the data set; tools/data/normalization.py measures them.
normalization = dict(mean=[114.75, 114.75, 114.75], std=[57.375, 57.375, 57.375])
train_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=64,
        frame_interval=2,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        target_fps=30,
    ),
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=256),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename',)),  # errors name the video
]
val_pipeline = [
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=64,
        frame_interval=2,
        num_clips=1,
        out_of_bound_opt='repeat_last',
        target_fps=30,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename',)),
]
test_pipeline = [  # 10 clips x 3 crops
    dict(type='DecordInit'),
    dict(
        type='SampleFrames',
        clip_len=64,
        frame_interval=2,
        num_clips=10,
        out_of_bound_opt='repeat_last',
        target_fps=30,
        test_mode=True,
    ),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='ThreeCrop', crop_size=256),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename',)),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=False,  # EpochSeedHook seeds them when they start
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/ucf101/ucf101_train_split_1_videos.txt',
        data_prefix=dict(video='data/ucf101/videos'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,  # the models' max_testing_views takes one video at a time
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/ucf101/ucf101_val_split_1_videos.txt',
        data_prefix=dict(video='data/ucf101/videos'),
        pipeline=val_pipeline,
        test_mode=True,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/ucf101/ucf101_val_split_1_videos.txt',
        data_prefix=dict(video='data/ucf101/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
val_evaluator = dict(type='mmaction_kd.SubsetAccMetric', subsets=subsets)
test_evaluator = val_evaluator
