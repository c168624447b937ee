"""DTKD's dynamic teacher: Video Swin-T on the 75 dynamic classes of UCF101, split 1.

    tools/dist_train.sh configs/dtkd/transformers/swin_t_dynamic_ucf101_split1.py 8

Expect one of the two teachers of dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py.
"""

_base_ = './swin_t_static_ucf101_split1.py'

model = dict(cls_head=dict(num_classes=75))
train_dataloader = dict(dataset=dict(subset='dynamic'))
val_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = val_dataloader
