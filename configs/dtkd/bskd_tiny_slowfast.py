"""BSKD, DTKD without its scores, with a small SlowFast from scratch, for first experiments.

tools/dist_train.sh configs/dtkd/bskd_tiny_slowfast.py 2
"""

_base_ = './dtkd_tiny_slowfast.py'

model = dict(
    distill_loss=dict(
        _delete_=True,
        type='mmaction_kd.BSKDLoss',
        subsets=_base_.subsets,
        kd_weight=0.4,
        kd_temperature=2,
    )
)
