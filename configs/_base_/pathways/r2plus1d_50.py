"""MBD's local pathway: R(2+1)D-50 on 16 consecutive frames, crop 112 of short side 128."""

local_pathway = dict(
    type='Recognizer3D',
    backbone=dict(type='mmaction_kd.R2Plus1d50'),
    cls_head=dict(
        type='I3DHead', num_classes=400, in_channels=2048, dropout_ratio=0.5, average_clips='prob'
    ),
    # Mean and std of the published R(2+1)D-50 weights (0.4345, 0.4051, 0.3775, ... times 255).
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[110.8, 103.3, 96.3],
        std=[70.6, 69.2, 69.8],
        format_shape='NCTHW',
    ),
)
local_train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
    dict(type='DecordDecode'),
    # The text lost the size in 3.1; 128 x 171 would be possible, the test's short side is 128.
    dict(type='Resize', scale=(-1, 128)),
    dict(type='RandomCrop', size=112),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
local_val_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='CenterCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
local_test_pipeline = [  # 10 clips x 3 crops
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=10, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 128)),
    dict(type='mmaction_kd.UniformThreeCrop', crop_size=112),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
