"""SlowFast R101 16x8 on HMDB51, split 1: DTKD's baseline, the student without teachers.

    tools/dist_train.sh configs/dtkd/slowfast_r101_16x8_hmdb51_split1.py 8

Starts from the Kinetics-400 weights that tools/model_converters/pytorchvideo_slowfast.py makes of
the published ones, but for the 51-way classifier.
"""

_base_ = './slowfast_r101_16x8_ucf101_split1.py'

# Stride 1 and not 2: 128 frames exceed most videos (3 s at 30 fps). There the code that the paper
# builds on spreads the 64 frames over the whole video, a stride of 1 to 2.
subsets = 'data/hmdb51/subsets_split1.json'
model = dict(cls_head=dict(num_classes=51))
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
test_pipeline = _base_.test_pipeline
train_pipeline[1].frame_interval = 1
val_pipeline[1].frame_interval = 1
test_pipeline[1].frame_interval = 1

data_prefix = dict(video='data/hmdb51/videos')
train_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_train_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt',
        data_prefix=data_prefix,
        pipeline=val_pipeline,
    )
)
test_dataloader = dict(dataset=dict(val_dataloader['dataset'], pipeline=test_pipeline))
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
