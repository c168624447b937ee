"""Baselines on UCF101, split 1 (Table 3): frozen backbone, and SlowFast 8x8.

python tools/study.py configs/dtkd/studies/baselines_ucf101.py --devices 8
"""

_base_ = '_base_/ucf101.py'

title = 'Baselines on UCF101'
folds = ['split_1']
baseline = 'slowfast_r101_16x8'
# By class subset, as the others are tested.
by_subset = {
    'val_evaluator.subsets': '{subsets.folder}/subsets.json',
    'test_evaluator.subsets': '{subsets.folder}/subsets.json',
}
arms = dict(
    _delete_=True,
    subsets=_base_.arms.subsets,
    slowfast_r101_16x8=dict(config='../slowfast_r101_16x8_ucf101_split1.py', options=by_subset),
    slowfast_r101_16x8_frozen=dict(
        config='../tuning/slowfast_r101_16x8_lt_ucf101_split1.py', options=by_subset
    ),
    slowfast_r101_8x8=dict(
        config='../slowfast_8x8/slowfast_r101_8x8_ucf101_split1.py', options=by_subset
    ),
    slowfast_r50_8x8=dict(
        config='../slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py', options=by_subset
    ),
)
paper = dict(slowfast_r101_16x8=95.14)
