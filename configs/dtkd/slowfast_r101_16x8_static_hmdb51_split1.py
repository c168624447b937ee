"""DTKD's static teacher: SlowFast R101 16x8 on the 13 static classes of HMDB51, split 1.

    tools/dist_train.sh configs/dtkd/slowfast_r101_16x8_static_hmdb51_split1.py 8

Expect one of the two teachers of the students without LT (TH1, TH2), see studies/hmdb51.py.
"""

_base_ = './slowfast_r101_16x8_hmdb51_split1.py'

model = dict(cls_head=dict(num_classes=13))
static = dict(
    _delete_=True, type='mmaction_kd.OpticalFlowSubset', subset='static', subsets=_base_.subsets
)
train_dataloader = dict(dataset=dict(static, dataset=_base_.train_dataloader.dataset))
val_dataloader = dict(dataset=dict(static, dataset=_base_.val_dataloader.dataset))
test_dataloader = dict(dataset=dict(static, dataset=_base_.test_dataloader.dataset))
del static
val_evaluator = dict(_delete_=True, type='AccMetric')
test_evaluator = val_evaluator
