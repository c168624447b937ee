"""DTKD on HMDB51, split 1: a SlowFast R101 16x8 learns from a static and a dynamic teacher.

    tools/dist_train.sh configs/dtkd/dtkd_slowfast_r101_16x8_hmdb51_split1.py 8

Starts from Kinetics-400 weights, as its teachers did, which must be trained first and stay frozen.
Expect a checkpoint that is one of slowfast_r101_16x8_hmdb51_split1.py, without the teachers.
"""

_base_ = './slowfast_r101_16x8_hmdb51_split1.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_dynamic_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_hmdb51_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_static_hmdb51_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_hmdb51_split1/epoch_30.pth',
        ),
    ),
    distill_loss=dict(
        type='mmaction_kd.HybridScoreLoss',
        subsets=_base_.subsets,
        s_alpha=0.7,
        kd_weight=0.2,
        kd_temperature=2,
    ),
)
custom_hooks = [dict(type='mmaction_kd.TeacherHashHook')]
