"""DTKD with a small SlowFast from scratch, for `make demo` and for first experiments.

    tools/dist_train.sh configs/dtkd/dtkd_tiny_slowfast.py 2

Train its teachers first, tiny_slowfast_static.py and tiny_slowfast_dynamic.py; for other data set
num_classes of all three. A minute or two on two CPU cores.
"""

_base_ = './tiny_slowfast.py'

model = dict(
    _delete_=True,
    type='mmaction_kd.DualTeacherDistiller',
    student=_base_.model,
    teachers=dict(
        dynamic=dict(
            config='mmaction_kd::dtkd/tiny_slowfast_dynamic.py',
            checkpoint='work_dirs/tiny_slowfast_dynamic/epoch_10.pth',
        ),
        static=dict(
            config='mmaction_kd::dtkd/tiny_slowfast_static.py',
            checkpoint='work_dirs/tiny_slowfast_static/epoch_10.pth',
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
