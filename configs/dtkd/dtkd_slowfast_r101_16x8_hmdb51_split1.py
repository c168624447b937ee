"""DTKD on HMDB51, split 1: SH3 of Table 5, the paper's best there (LT True, FT True).

    tools/dist_train.sh configs/dtkd/dtkd_slowfast_r101_16x8_hmdb51_split1.py 8

A SlowFast R101 16x8 learns from a static and a dynamic teacher, TH4 and TH3, whose classifiers
alone were trained (locked/, first) and which stay frozen. Expect a checkpoint that is one of
slowfast_r101_16x8_hmdb51_split1.py, without the teachers.
"""

_base_ = './slowfast_r101_16x8_hmdb51_split1.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    # LT is how they were trained: their architecture is that of the unlocked ones, so that with
    # frozen_teachers=False (SH10) all of them trains.
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_dynamic_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_lt_hmdb51_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_static_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_lt_hmdb51_split1/epoch_30.pth',
        ),
    ),
    distill_loss=dict(
        type='mmaction_kd.SubsetDistillLoss',
        subsets=_base_.subsets,
        weighting=dict(type='mmaction_kd.HybridScore', s_alpha=0.7),
        kd_weight=0.2,
        kd_temperature=2,
    ),
)
custom_hooks = [dict(type='mmaction_kd.TeacherHashHook')]
