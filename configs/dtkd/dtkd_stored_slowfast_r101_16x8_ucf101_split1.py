r"""DTKD on UCF101, split 1, with stored teachers: the student costs what it costs alone.

    python tools/store_teachers.py --views 8 \
        configs/dtkd/dtkd_stored_slowfast_r101_16x8_ucf101_split1.py
    tools/dist_train.sh configs/dtkd/dtkd_stored_slowfast_r101_16x8_ucf101_split1.py 8

SU11 of Table 5 (stored teachers are frozen ones), but that a video has 8 views in all, in place of
one of its own in each of 30 epochs. The first command takes what the teachers cost in 8 epochs,
once for all students, and 17 MB.
"""

_base_ = './dtkd_slowfast_r101_16x8_ucf101_split1.py'

model = dict(
    frozen_teachers=True,
    stored_teachers='work_dirs/stored_teachers_slowfast_r101_16x8_ucf101_split1',
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmaction_kd.StoredTeacherViews',
        store=model['stored_teachers'],
        dataset=_base_.train_dataloader.dataset,
    )
)
