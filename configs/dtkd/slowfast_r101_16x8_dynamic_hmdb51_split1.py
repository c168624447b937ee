"""DTKD's dynamic teacher: SlowFast R101 16x8 on the 38 dynamic classes of HMDB51, split 1.

    tools/dist_train.sh configs/dtkd/slowfast_r101_16x8_dynamic_hmdb51_split1.py 8

Expect one of the two teachers of the students without LT (TH1, TH2), see studies/hmdb51.py.
"""

_base_ = './slowfast_r101_16x8_static_hmdb51_split1.py'

model = dict(cls_head=dict(num_classes=38))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
