"""BSKD on HMDB51, split 1: DTKD's two teachers, each heard fully on its own classes.

    tools/dist_train.sh configs/dtkd/bskd_slowfast_r101_16x8_hmdb51_split1.py 8

The paper's second baseline: no score weighs the teachers. All else is as in DTKD.
"""

_base_ = './dtkd_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(
    distill_loss=dict(
        _delete_=True,
        type='mmaction_kd.BSKDLoss',
        subsets=_base_.subsets,
        kd_weight=0.2,
        kd_temperature=2,
    )
)
