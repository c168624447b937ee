"""DTKD on UCF101, split 1: a SlowFast R101 8x8 learns from a static and a dynamic teacher.

    tools/dist_train.sh configs/dtkd/slowfast_8x8/dtkd_slowfast_r101_8x8_ucf101_split1.py 8

Starts from Kinetics-400 weights, as its teachers did, which must be trained first and stay frozen.
Expect a checkpoint that is one of slowfast_r101_8x8_ucf101_split1.py, without the teachers.
"""

_base_ = './slowfast_r101_8x8_ucf101_split1.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/slowfast_8x8/slowfast_r101_8x8_dynamic_ucf101_split1.py',
            checkpoint='work_dirs/slowfast_r101_8x8_dynamic_ucf101_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/slowfast_8x8/slowfast_r101_8x8_static_ucf101_split1.py',
            checkpoint='work_dirs/slowfast_r101_8x8_static_ucf101_split1/epoch_30.pth',
        ),
    ),
    distill_loss=dict(
        type='mmaction_kd.HybridScoreLoss',
        subsets=_base_.subsets,
        s_alpha=0.3,
        kd_weight=0.4,
        kd_temperature=2,
    ),
)
custom_hooks = [dict(type='mmaction_kd.TeacherHashHook')]
