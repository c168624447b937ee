"""DTKD on HMDB51, split 1, temperature 4: softer targets.

tools/dist_train.sh configs/dtkd/settings/dtkd_temperature_4_slowfast_r101_16x8_hmdb51_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(distill_loss=dict(kd_temperature=4))
