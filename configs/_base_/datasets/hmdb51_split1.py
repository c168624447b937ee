"""HMDB51, split 1, for SlowFast: the clips of ucf101_split1.py from other lists."""

_base_ = './ucf101_split1.py'

subsets = 'data/hmdb51/subsets_split1.json'
data_prefix = dict(video='data/hmdb51/videos')
train_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_train_split_1_videos.txt', data_prefix=data_prefix)
)
val_dataloader = dict(
    dataset=dict(ann_file='data/hmdb51/hmdb51_val_split_1_videos.txt', data_prefix=data_prefix)
)
test_dataloader = val_dataloader
val_evaluator = dict(subsets=subsets)
test_evaluator = val_evaluator
