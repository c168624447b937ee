"""A small MBD on the videos of tools/data/make_study_videos.py, for studies: a minute a training.

    python tools/data/make_study_videos.py data/study
    tools/dist_train.sh configs/mbd/studies/_base_/tiny_efficientnet_tcn_vtn_study_videos.py 1

As tiny_efficientnet_tcn_vtn.py, on features of 40 channels. Local: 12 of the 24 frames, in a row.
Global: every second frame. The study: ../study_videos.py.
"""

_base_ = ['../../tiny_efficientnet_tcn_vtn.py', '../../../_base_/datasets/study_videos.py']

model = dict(
    local_pathway=dict(
        backbone=dict(
            spatial_backbone=dict(_delete_=True, **_base_.small_encoder),
            channels=64,
            drop_rate=0.1,
        ),
        cls_head=dict(num_classes=8, in_channels=64),
    ),
    global_pathway=dict(
        backbone=dict(
            spatial_backbone=dict(_delete_=True, **_base_.small_encoder),
            embed_dims=64,
            drop_rate=0.0,
        ),
        cls_head=dict(num_classes=8, in_channels=64),
    ),
)


def pipeline(num_clips=1, test_mode=False):
    views = dict(clip_len=12, num_clips=num_clips, test_mode=test_mode)
    samplers = dict(
        local_pathway=dict(type='SampleFrames', **views),
        global_pathway=dict(type='UniformSample', **views),
    )
    steps = [
        dict(type='ArrayDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    pathways = {name: [sampler, *steps] for name, sampler in samplers.items()}
    return [_base_.small_features, dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)]


train_dataloader = dict(batch_size=32, dataset=dict(**_base_.study_data, pipeline=pipeline()))
test_dataloader = dict(
    batch_size=50, dataset=dict(**_base_.study_test_data, pipeline=pipeline(4, test_mode=True))
)
val_dataloader = dict(
    _delete_=True,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=50,
    dataset=dict(
        type='VideoDataset',
        test_mode=True,
        **_base_.study_test_data,
        pipeline=pipeline(4, test_mode=True),
    ),
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = _base_.test_evaluator
# At 0.003 the transformer does not learn in every run.
optim_wrapper = dict(
    optimizer=dict(lr=0.003),
    paramwise_cfg=dict(custom_keys=dict(global_pathway=dict(lr_mult=1 / 3))),
)
train_cfg = dict(max_epochs=120, val_begin=120)  # validates once, at the end
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=120, eta_min=0, convert_to_iter_based=True),
]
hooks = dict(_base_.default_hooks)
del hooks['distill_report']  # a page takes as long as the training
hooks['checkpoint'] = dict(hooks['checkpoint'], interval=120)
default_hooks = dict(_delete_=True, **hooks)
del hooks
