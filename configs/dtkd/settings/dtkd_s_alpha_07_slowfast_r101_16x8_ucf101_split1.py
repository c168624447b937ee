"""DTKD on UCF101, split 1, S_alpha 0.7: the value for HMDB51.

tools/dist_train.sh configs/dtkd/settings/dtkd_s_alpha_07_slowfast_r101_16x8_ucf101_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_ucf101_split1.py'

model = dict(distill_loss=dict(s_alpha=0.7))
