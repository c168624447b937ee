"""DTKD's dynamic teacher, only its classifier trained (LT): the 38 dynamic classes of HMDB51.

    tools/dist_train.sh configs/dtkd/locked/slowfast_r101_16x8_dynamic_lt_hmdb51_split1.py 8

Expect one of the two teachers of dtkd_slowfast_r101_16x8_hmdb51_split1.py (TH3, TH4).
"""

_base_ = './slowfast_r101_16x8_static_lt_hmdb51_split1.py'

model = dict(cls_head=dict(num_classes=38))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
