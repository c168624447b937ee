"""DTKD on HMDB51, split 1, LT: of the teachers only the classifiers were trained.

tools/dist_train.sh configs/dtkd/tuning/dtkd_lt_slowfast_r101_16x8_hmdb51_split1.py 8
"""

_base_ = '../dtkd_slowfast_r101_16x8_hmdb51_split1.py'

model = dict(
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/tuning/slowfast_r101_16x8_dynamic_lt_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_lt_hmdb51_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/tuning/slowfast_r101_16x8_static_lt_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_lt_hmdb51_split1/epoch_30.pth',
        ),
    )
)
