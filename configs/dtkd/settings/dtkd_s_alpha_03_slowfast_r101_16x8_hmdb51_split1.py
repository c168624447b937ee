"""DTKD on HMDB51, split 1, S_alpha 0.3: the value for UCF101.

tools/dist_train.sh configs/dtkd/settings/dtkd_s_alpha_03_slowfast_r101_16x8_hmdb51_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(distill_loss=dict(s_alpha=0.3))
