"""BSKD, DTKD without its scores, with a small SlowFast from scratch, for first experiments.

tools/dist_train.sh configs/dtkd/bskd_tiny_slowfast.py 2
"""

_base_ = './dtkd_tiny_slowfast.py'

model = dict(
    distill_loss=dict(weighting=dict(_delete_=True, type='mmaction_kd.ResponsibleTeacher'))
)
