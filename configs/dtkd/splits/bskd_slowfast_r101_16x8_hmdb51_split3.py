"""BSKD on HMDB51, split 3; all else is as on split 1.

tools/dist_train.sh configs/dtkd/splits/bskd_slowfast_r101_16x8_hmdb51_split3.py 8
"""

_base_ = './dtkd_slowfast_r101_16x8_hmdb51_split3.py'

model = dict(
    distill_loss=dict(
        _delete_=True,
        type='mmaction_kd.BSKDLoss',
        subsets=_base_.subsets,
        kd_weight=0.2,
        kd_temperature=2,
    )
)
