"""DTKD on UCF101, split 1: a TimeSformer learns from a static and a dynamic one.

    tools/dist_train.sh configs/dtkd/transformers/dtkd_timesformer_ucf101_split1.py 8

Its teachers must be trained first and stay frozen. S_alpha, KD weight and temperature are those of
the paper's SlowFast. Expect a checkpoint that is one of timesformer_ucf101_split1.py.
"""

_base_ = './timesformer_ucf101_split1.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/transformers/timesformer_dynamic_ucf101_split1.py',
            checkpoint='work_dirs/timesformer_dynamic_ucf101_split1/epoch_15.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/transformers/timesformer_static_ucf101_split1.py',
            checkpoint='work_dirs/timesformer_static_ucf101_split1/epoch_15.pth',
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
