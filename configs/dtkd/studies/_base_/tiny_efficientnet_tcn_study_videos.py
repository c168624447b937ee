"""A small student on the videos of tools/data/make_study_videos.py: DTKD's baseline, for studies.

    python tools/data/make_study_videos.py data/study
    tools/dist_train.sh configs/dtkd/studies/_base_/tiny_efficientnet_tcn_study_videos.py 1

As tiny_efficientnet_tcn.py, on features of 40 channels, 12 of the 24 frames in a row, with an
eighth of the width. Its teachers, of 128 channels and one more layer, and the study:
../study_videos.py.
"""

_base_ = ['../../tiny_efficientnet_tcn.py', '../../../_base_/datasets/study_videos.py']

subsets = 'data/study/subsets.json'
model = dict(
    backbone=dict(
        spatial_backbone=dict(_delete_=True, **_base_.small_encoder), channels=16, drop_rate=0.1
    ),
    cls_head=dict(num_classes=8, in_channels=16, dropout_ratio=0.1),
)


def pipeline(num_clips=1, test_mode=False):
    return [
        _base_.small_features,
        dict(type='SampleFrames', clip_len=12, num_clips=num_clips, test_mode=test_mode),
        dict(type='ArrayDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('filename',)),
    ]


train_dataloader = dict(batch_size=32, dataset=dict(**_base_.study_data, pipeline=pipeline()))
test_data = dict(
    type='VideoDataset',
    test_mode=True,
    **_base_.study_test_data,
    pipeline=pipeline(4, test_mode=True),
)
test_dataloader = dict(batch_size=50, dataset=dict(_delete_=True, **test_data))
val_dataloader = dict(
    _delete_=True,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=50,
    dataset=test_data,
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = test_evaluator = dict(type='mmaction_kd.SubsetAccMetric', subsets=subsets)
optim_wrapper = dict(optimizer=dict(lr=0.003))
train_cfg = dict(max_epochs=80, val_begin=80)  # validates once, at the end
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=80, eta_min=0, convert_to_iter_based=True),
]
hooks = dict(_base_.default_hooks)
del hooks['distill_report']  # a page takes as long as the training
hooks['checkpoint'] = dict(hooks['checkpoint'], interval=80)
default_hooks = dict(_delete_=True, **hooks)
del hooks, test_data
