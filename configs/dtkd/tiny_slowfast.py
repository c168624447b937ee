"""A small SlowFast from scratch, DTKD's baseline: a minute on two CPU cores, for first experiments.

    tools/dist_train.sh configs/dtkd/tiny_slowfast.py 2

Expect data/demo/{train,test}.txt with lines `path label`, as tools/data/make_demo_videos.py writes
them, and for the test data/demo/subsets.json with the static and the dynamic classes, made with the
median as threshold (Q1 leaves one of four classes). For other data set these files, data_prefix and
num_classes. Depth 18 at a quarter of the width; 4 slow and 16 fast frames at 48 px, from clips of
16 frames, 6 apart. Its teachers and student: tiny_slowfast_static.py, tiny_slowfast_dynamic.py,
dtkd_tiny_slowfast.py.
"""

_base_ = ['../_base_/schedules/sgd_cosine.py', '../_base_/default_runtime.py']

subsets = 'data/demo/subsets.json'
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,
        speed_ratio=4,
        channel_ratio=4,
        slow_pathway=dict(
            type='resnet3d',
            depth=18,
            pretrained=None,
            lateral=True,
            lateral_norm=True,
            base_channels=16,
            fusion_kernel=5,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, 1, 1),
        ),
        fast_pathway=dict(
            type='resnet3d',
            depth=18,
            pretrained=None,
            lateral=False,
            base_channels=4,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
        ),
    ),
    cls_head=dict(
        type='SlowFastHead',
        num_classes=4,
        in_channels=160,  # 128 slow, 32 fast
        dropout_ratio=0,  # 160 features are few to drop from
        topk=1,
        average_clips='prob',
    ),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.375, 57.375, 57.375],
        format_shape='NCTHW',
    ),
)

# No flips: they would turn a drift to the left into one to the right.
train_pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=6, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 56)),
    dict(type='RandomCrop', size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename',)),  # errors name the video
]
test_pipeline = [  # 3 clips x 1 crop: enough here, and cheap
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=16, frame_interval=6, num_clips=3, test_mode=True),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 56)),
    dict(type='CenterCrop', crop_size=48),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('filename',)),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/demo/train.txt',
        data_prefix=dict(video='data/demo/videos'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = None
val_cfg = None
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/demo/test.txt',
        data_prefix=dict(video='data/demo/videos'),
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(type='mmaction_kd.SubsetAccMetric', subsets=subsets)

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
train_cfg = dict(max_epochs=10)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=10, eta_min=0, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(interval=5), checkpoint=dict(interval=5, max_keep_ckpts=2, save_best=None)
)
