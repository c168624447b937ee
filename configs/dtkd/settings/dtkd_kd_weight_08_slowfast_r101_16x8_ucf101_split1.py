"""DTKD on UCF101, split 1, KD weight 0.8, SU5: the paper finds it below the baseline.

tools/dist_train.sh configs/dtkd/settings/dtkd_kd_weight_08_slowfast_r101_16x8_ucf101_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_ucf101_split1.py'

model = dict(distill_loss=dict(kd_weight=0.8))
