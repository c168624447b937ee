"""A small student on the videos of tools/data/make_study_videos.py: DTKD's baseline, for studies.

    python tools/data/make_study_videos.py data/study
    tools/dist_train.sh configs/dtkd/tiny_efficientnet_tcn_study_videos.py 1

As tiny_efficientnet_tcn.py, on features of 40 channels; 8 frames in a row. Its teachers, larger
ones and its students: studies/study_videos.py.
"""

_base_ = ['./tiny_efficientnet_tcn.py', '../_base_/datasets/study_videos.py']

subsets = 'data/study/subsets.json'
model = dict(
    backbone=dict(spatial_backbone=dict(_delete_=True, **_base_.small_encoder), channels=64),
    cls_head=dict(num_classes=8, in_channels=64),
)


def pipeline(num_clips=1, test_mode=False):
    return [
        _base_.small_features,
        dict(type='SampleFrames', clip_len=8, num_clips=num_clips, test_mode=test_mode),
        dict(type='ArrayDecode'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('filename',)),
    ]


train_dataloader = dict(dataset=dict(**_base_.study_data, pipeline=pipeline()))
test_dataloader = dict(
    batch_size=16, dataset=dict(**_base_.study_test_data, pipeline=pipeline(4, test_mode=True))
)
test_evaluator = dict(subsets=subsets)
optim_wrapper = dict(optimizer=dict(lr=0.002))
train_cfg = dict(max_epochs=15)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=15, eta_min=0, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval=15))
