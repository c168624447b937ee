"""DTKD on UCF101, split 1, S_alpha 0.5: confidence and loss of a teacher count alike.

tools/dist_train.sh configs/dtkd/settings/dtkd_s_alpha_05_slowfast_r101_16x8_ucf101_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_ucf101_split1.py'

model = dict(distill_loss=dict(s_alpha=0.5))
