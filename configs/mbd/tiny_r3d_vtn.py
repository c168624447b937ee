"""A small MBD from scratch: minutes on two CPU cores, for `make demo` and for first experiments.

    tools/dist_train.sh configs/mbd/tiny_r3d_vtn.py 2

Expect data/demo/{train,test}.txt with lines `path label`, as tools/data/make_demo_videos.py writes
them; for other data set these files, data_prefix and num_classes. Local: an R3D-18 of an eighth of
the width on 16 consecutive frames at 48 px. Global: VTN on such a ResNet-18, 16 frames 8 apart.
"""

_base_ = ['../_base_/schedules/sgd_cosine.py', '../_base_/default_runtime.py']

num_classes = 4
preprocessor = dict(
    type='ActionDataPreprocessor',
    mean=[114.75, 114.75, 114.75],
    std=[57.375, 57.375, 57.375],
    format_shape='NCTHW',
)
model = dict(
    type='mmaction_kd.MBDRecognizer',
    local_pathway=dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d',
            depth=18,
            base_channels=8,
            conv1_kernel=(3, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            inflate=(1, 1, 1, 1),
            norm_eval=False,
            pretrained=None,
        ),
        cls_head=dict(
            type='I3DHead',
            num_classes=num_classes,
            in_channels=64,
            topk=1,
            average_clips='prob',
        ),
        data_preprocessor=preprocessor,
    ),
    global_pathway=dict(
        type='Recognizer3D',
        backbone=dict(
            type='mmaction_kd.VTN',
            spatial_backbone=dict(
                type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8
            ),
            embed_dims=64,
            num_heads=4,
            frame_interval=8,
            drop_rate=0.0,
            attn_drop_rate=0.0,
            # Positions as large as the features: with the usual 0.02 a model from scratch takes
            # long to see the order of frames.
            init_cfg=dict(type='Normal', layer='Embedding', std=0.7),
        ),
        cls_head=dict(
            type='mmaction_kd.VTNHead',
            num_classes=num_classes,
            in_channels=64,
            topk=1,
            average_clips='prob',
        ),
        data_preprocessor=preprocessor,
    ),
    # One vector a video, with which README.md's figures of small models were measured.
    features=dict(
        local_pathway='backbone.layer3', global_pathway='backbone.temporal_encoder.layers.1'
    ),
    # In one stage, from scratch, the teachers know nothing at first, and T = 1 costs: on the demo
    # videos 0.85 fused instead of 1.00. T = 4 without T² is a much weaker term.
    distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', temperature=4.0),
    fusion_head=dict(type='mmaction_kd.AdaptiveFusionHead'),
)

# No flips: they would turn a drift to the left into one to the right.
train_pipeline = [
    dict(
        type='mmaction_kd.PathwayPipelines',
        pathways=dict(
            local_pathway=[
                dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
                dict(type='DecordDecode'),
                dict(type='Resize', scale=(-1, 56)),
                dict(type='RandomCrop', size=48),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
            global_pathway=[
                dict(type='SampleFrames', clip_len=16, frame_interval=8, num_clips=1),
                dict(type='DecordDecode'),
                dict(type='Resize', scale=(-1, 56)),
                dict(type='RandomCrop', size=48),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
        ),
    )
]
test_pipeline = [  # 10 clips x 3 crops
    dict(
        type='mmaction_kd.PathwayPipelines',
        pathways=dict(
            local_pathway=[
                dict(
                    type='SampleFrames', clip_len=16, frame_interval=1, num_clips=10, test_mode=True
                ),
                dict(type='DecordDecode'),
                dict(type='Resize', scale=(-1, 56)),
                dict(type='mmaction_kd.UniformThreeCrop', crop_size=48),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
            global_pathway=[
                dict(
                    type='SampleFrames', clip_len=16, frame_interval=8, num_clips=10, test_mode=True
                ),
                dict(type='DecordDecode'),
                dict(type='Resize', scale=(-1, 56)),
                dict(type='mmaction_kd.UniformThreeCrop', crop_size=48),
                dict(type='FormatShape', input_format='NCTHW'),
                dict(type='PackActionInputs'),
            ],
        ),
    )
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
test_evaluator = dict(
    type='mmaction_kd.PathwayAccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.002, weight_decay=0.01),
    clip_grad=dict(max_norm=10),
)
train_cfg = dict(max_epochs=15)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=15, eta_min=0, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(interval=5), checkpoint=dict(interval=5, max_keep_ckpts=2, save_best=None)
)
