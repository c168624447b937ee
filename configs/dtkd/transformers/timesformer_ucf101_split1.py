"""TimeSformer on UCF101, split 1: a transformer as DTKD's baseline, which the paper leaves open.

    tools/dist_train.sh configs/dtkd/transformers/timesformer_ucf101_split1.py 8

Starts from the Kinetics-400 weights of MMAction2's zoo. Optimizer, schedule and augmentation are
those of its own config there (divided space-time attention, 8 devices x 8 videos, 15 epochs from
ImageNet weights), not tuned for UCF101.
"""

_base_ = 'mmaction::recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py'

custom_imports = dict(imports=['mmaction_kd'], allow_failed_imports=False)
default_hooks = dict(
    checkpoint=dict(type='mmaction_kd.SafeCheckpointHook'),
    epoch_seed=dict(type='mmaction_kd.EpochSeedHook'),
    distill_report=dict(type='mmaction_kd.DistillReportHook'),
    loaded_weights=dict(type='mmaction_kd.LoadedWeightsHook'),
    skipped_steps=dict(type='mmaction_kd.SkippedStepsHook'),
)
randomness = dict(seed=0)
model = dict(backbone=dict(pretrained=None), cls_head=dict(num_classes=101))
load_from = 'https://download.openmmlab.com/mmaction/v1.0/recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb_20220815-a4d0d01f.pth'

# The zoo's own keys begin with a dot, and so name no weight of a recognizer.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'backbone.cls_token': dict(decay_mult=0),
            'backbone.pos_embed': dict(decay_mult=0),
            'backbone.time_embed': dict(decay_mult=0),
        }
    )
)

# Stride 16 and not 32: 256 frames exceed most videos. 128 are what SlowFast 16x8 sees.
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[1].update(frame_interval=16, out_of_bound_opt='repeat_last')
val_pipeline[1].update(frame_interval=16, out_of_bound_opt='repeat_last')
test_pipeline[1].update(frame_interval=16, out_of_bound_opt='repeat_last')
train_pipeline[-1].meta_keys = ('filename',)  # errors name the video
val_pipeline[-1].meta_keys = ('filename',)
test_pipeline[-1].meta_keys = ('filename',)

subsets = 'ucf101'
data_prefix = dict(video='data/ucf101/videos')
train_dataloader = dict(
    persistent_workers=False,  # EpochSeedHook seeds them when they start
    dataset=dict(
        ann_file='data/ucf101/ucf101_train_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/ucf101/ucf101_val_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=val_pipeline,
    )
)
test_dataloader = dict(dataset=dict(val_dataloader['dataset'], pipeline=test_pipeline))
val_evaluator = dict(type='mmaction_kd.SubsetAccMetric', subsets=subsets)
test_evaluator = val_evaluator
