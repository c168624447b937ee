"""SlowFast R101 16x8: 16 slow and 64 fast frames, from clips of 64. DTKD's own: 53.775 M.

Of the 23 blocks of res4 only the first six convolve over time, as in the published weights; the
fusions of the fast into the slow pathway have batch norm and ReLU (``lateral_norm``), as there.
"""

model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3dSlowFast',
        pretrained=None,
        resample_rate=4,  # of every 4 frames the slow pathway sees one
        speed_ratio=4,  # and the fast one all
        channel_ratio=8,
        slow_pathway=dict(
            type='resnet3d',
            depth=101,
            pretrained=None,
            lateral=True,
            lateral_norm=True,
            fusion_kernel=5,
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(0, 0, (1,) * 6 + (0,) * 17, 1),
        ),
        fast_pathway=dict(
            type='resnet3d',
            depth=101,
            pretrained=None,
            lateral=False,
            base_channels=8,
            conv1_kernel=(5, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(1, 1, (1,) * 6 + (0,) * 17, 1),
        ),
    ),
    cls_head=dict(
        type='SlowFastHead',
        num_classes=400,
        in_channels=2304,  # 2048 slow, 256 fast
        dropout_ratio=0.5,
        average_clips='prob',
    ),
    # 0.45 and 0.225, times 255.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.375, 57.375, 57.375],
        format_shape='NCTHW',
    ),
    test_cfg=dict(max_testing_views=10),  # 30 views of 64 frames are too many at once
)
