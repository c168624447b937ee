"""DTKD on UCF101, split 1, FT=False: the teachers are trained along.

tools/dist_train.sh configs/dtkd/tuning/dtkd_trained_teachers_slowfast_r101_16x8_ucf101_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_ucf101_split1.py'

model = dict(frozen_teachers=False)
