"""DTKD on UCF101, split 1: SU12 of Table 5, the paper's best there (LT False, FT False).

    tools/dist_train.sh configs/dtkd/dtkd_slowfast_r101_16x8_ucf101_split1.py 8

A SlowFast R101 16x8 learns from a static and a dynamic teacher, TU2 and TU1, which must be trained
first and are trained along. Expect a checkpoint that slowfast_r101_16x8_ucf101_split1.py loads; it
also holds the teachers as they then are. SU11 freezes them and needs less memory:

    --cfg-options model.frozen_teachers=True
"""

_base_ = './slowfast_r101_16x8_ucf101_split1.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_dynamic_ucf101_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_dynamic_ucf101_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/slowfast_r101_16x8_static_ucf101_split1.py',
            checkpoint='work_dirs/slowfast_r101_16x8_static_ucf101_split1/epoch_30.pth',
        ),
    ),
    frozen_teachers=False,
    distill_loss=dict(
        type='mmaction_kd.SubsetDistillLoss',
        subsets=_base_.subsets,
        weighting=dict(type='mmaction_kd.HybridScore', s_alpha=0.3),
        kd_weight=0.4,
        kd_temperature=2,
    ),
)
custom_hooks = [dict(type='mmaction_kd.TeacherHashHook')]
