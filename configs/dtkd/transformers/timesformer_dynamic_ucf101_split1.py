"""DTKD's dynamic teacher: TimeSformer on the 75 dynamic classes of UCF101, split 1.

    tools/dist_train.sh configs/dtkd/transformers/timesformer_dynamic_ucf101_split1.py 8

Expect one of the two teachers of dtkd_timesformer_ucf101_split1.py.
"""

_base_ = './timesformer_static_ucf101_split1.py'

model = dict(cls_head=dict(num_classes=75))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
