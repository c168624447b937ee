"""DTKD on HMDB51, split 1, LT and FT=False: teachers of trained classifiers, trained along.

tools/dist_train.sh configs/dtkd/tuning/dtkd_trained_lt_slowfast_r101_16x8_hmdb51_split1.py 8
"""

_base_ = './dtkd_lt_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(frozen_teachers=False)
