"""DTKD on UCF101, split 1: a SlowFast R50 8x8 learns from a static and a dynamic Video Swin-T.

tools/dist_train.sh configs/dtkd/transformers/dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py 8
"""

_base_ = '../slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py'

# They see the student's clips, 32 frames 2 apart as their own, but at 256 px and not 224; each is
# normalised as it was trained.
model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/transformers/swin_t_dynamic_ucf101_split1.py',
            checkpoint='work_dirs/swin_t_dynamic_ucf101_split1/epoch_30.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/transformers/swin_t_static_ucf101_split1.py',
            checkpoint='work_dirs/swin_t_static_ucf101_split1/epoch_30.pth',
        ),
    ),
    distill_loss=dict(
        type='mmaction_kd.SubsetDistillLoss',
        subsets=_base_.subsets,
        weighting=dict(type='mmaction_kd.HybridScore', s_alpha=0.3),
        kd_weight=0.4,
        kd_temperature=2,
    ),
)
custom_hooks = [dict(type='mmaction_kd.TeacherHashHook')]
