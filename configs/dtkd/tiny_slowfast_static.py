"""The static teacher of dtkd_tiny_slowfast.py, for first experiments.

tools/dist_train.sh configs/dtkd/tiny_slowfast_static.py 2
"""

_base_ = './tiny_slowfast.py'

model = dict(cls_head=dict(num_classes=2))
static = dict(
    _delete_=True, type='mmaction_kd.OpticalFlowSubset', subset='static', subsets=_base_.subsets
)
train_dataloader = dict(dataset=dict(static, dataset=_base_.train_dataloader.dataset))
test_dataloader = dict(dataset=dict(static, dataset=_base_.test_dataloader.dataset))
del static
test_evaluator = dict(
    _delete_=True, type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1,)))
)
