"""DTKD's static teacher: Video Swin-T on the 26 static classes of UCF101, split 1.

    tools/dist_train.sh configs/dtkd/transformers/swin_t_static_ucf101_split1.py 8

Expect one of the two teachers of dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py.
"""

_base_ = './swin_t_ucf101_split1.py'

model = dict(cls_head=dict(num_classes=26))
static = dict(
    _delete_=True, type='mmaction_kd.OpticalFlowSubset', subset='static', subsets=_base_.subsets
)
train_dataloader = dict(dataset=dict(static, dataset=_base_.train_dataloader.dataset))
val_dataloader = dict(dataset=dict(static, dataset=_base_.val_dataloader.dataset))
test_dataloader = dict(dataset=dict(static, dataset=_base_.test_dataloader.dataset))
del static
val_evaluator = dict(_delete_=True, type='AccMetric')
test_evaluator = val_evaluator
