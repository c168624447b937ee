"""DTKD on HMDB51, split 1, KD weight 0.8, SH5: above the baseline in the paper's table.

tools/dist_train.sh configs/dtkd/settings/dtkd_kd_weight_08_slowfast_r101_16x8_hmdb51_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(distill_loss=dict(kd_weight=0.8))
