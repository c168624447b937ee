"""HMDB51, split 1, for SlowFast: the clips of ucf101_split1.py from other lists.

As in DTKD (section 4.1) the lists have videos of id 1 for training and 2 for the test; MMAction2's
data preparation leaves out those of id 0.
"""

_base_ = './ucf101_split1.py'

subsets = 'hmdb51'  # the paper's lists of classes
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
