"""DTKD with a small SlowFast whose teachers' logits are stored, for first experiments.

    python tools/store_teachers.py configs/dtkd/dtkd_stored_tiny_slowfast.py --views 8
    tools/dist_train.sh configs/dtkd/dtkd_stored_tiny_slowfast.py 2

Trains as dtkd_tiny_slowfast.py, with the same teachers; no teacher runs, and a video has 8 views.
"""

_base_ = './dtkd_tiny_slowfast.py'

model = dict(stored_teachers='work_dirs/stored_teachers_tiny_slowfast')
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmaction_kd.StoredTeacherViews',
        store=model['stored_teachers'],
        dataset=_base_.train_dataloader.dataset,
    )
)
