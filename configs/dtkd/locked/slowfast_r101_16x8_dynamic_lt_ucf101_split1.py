"""DTKD's dynamic teacher, only its classifier trained (LT): the 75 dynamic classes of UCF101.

    tools/dist_train.sh configs/dtkd/locked/slowfast_r101_16x8_dynamic_lt_ucf101_split1.py 8

Expect one of the two teachers of the students with LT (TU3, TU4), see studies/ucf101.py.
"""

_base_ = './slowfast_r101_16x8_static_lt_ucf101_split1.py'

model = dict(cls_head=dict(num_classes=75))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
