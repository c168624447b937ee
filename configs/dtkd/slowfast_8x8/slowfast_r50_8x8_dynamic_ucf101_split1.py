"""DTKD's dynamic teacher: SlowFast R50 8x8 on the 75 dynamic classes of UCF101, split 1.

    tools/dist_train.sh configs/dtkd/slowfast_8x8/slowfast_r50_8x8_dynamic_ucf101_split1.py 8

Expect one of the two teachers of dtkd_slowfast_r50_8x8_ucf101_split1.py.
"""

_base_ = './slowfast_r50_8x8_static_ucf101_split1.py'

model = dict(cls_head=dict(num_classes=75))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
