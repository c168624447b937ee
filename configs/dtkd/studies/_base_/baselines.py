"""What the baselines on split 1 (Table 3) share."""

_base_ = './official_splits.py'

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
    slowfast_r101_16x8=dict(config='../slowfast_r101_16x8_{dataset}_split1.py', options=by_subset),
    slowfast_r101_16x8_frozen=dict(
        config='../tuning/slowfast_r101_16x8_lt_{dataset}_split1.py', options=by_subset
    ),
    slowfast_r101_8x8=dict(
        config='../slowfast_8x8/slowfast_r101_8x8_{dataset}_split1.py', options=by_subset
    ),
    slowfast_r50_8x8=dict(
        config='../slowfast_8x8/slowfast_r50_8x8_{dataset}_split1.py', options=by_subset
    ),
)
