"""MBD's global pathway: VTN (ViT-B/16 + 3-layer Longformer) on 16 frames, 8 apart, crop 224."""

global_pathway = dict(
    type='Recognizer3D',
    # Of a test's 30 views all distinct frames are encoded once, as many at a time as 5 views have.
    backbone=dict(type='mmaction_kd.VTN', frame_interval=8, frames_at_once=80),
    cls_head=dict(
        type='mmaction_kd.VTNHead',
        num_classes=400,
        in_channels=768,
        dropout_ratio=0.5,
        average_clips='prob',
    ),
    # VTN's own: 0.45 and 0.225, times 255.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.375, 57.375, 57.375],
        format_shape='NCTHW',
    ),
)
global_train_pipeline = [
    dict(type='DecordInit'),
    # Stride 8 from a random start (3.2); 2.1 has frames spread uniformly over the video instead.
    dict(type='SampleFrames', clip_len=16, frame_interval=8, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='RandomRescale', scale_range=(256, 320)),
    dict(type='RandomCrop', size=224),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
global_val_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=8, num_clips=1, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='CenterCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
global_test_pipeline = [  # 10 clips x 3 crops
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=8, num_clips=10, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 256)),
    dict(type='mmaction_kd.UniformThreeCrop', crop_size=224),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
