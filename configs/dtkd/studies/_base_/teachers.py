"""What the teachers on split 1 (Table 4) share."""

_base_ = './official_splits.py'

folds = ['split_1']
metric = 'acc/top1'
metrics = ['acc/top5', 'acc/mean1']
baseline = None
own_classes = {
    f'{loader}_dataloader.dataset.subsets': '{subsets.folder}/subsets.json'
    for loader in ('train', 'val', 'test')
}
arms = dict(
    _delete_=True,
    subsets=_base_.arms.subsets,
    static=dict(config='../slowfast_r101_16x8_static_{dataset}_split1.py', options=own_classes),
    dynamic=dict(config='../slowfast_r101_16x8_dynamic_{dataset}_split1.py', options=own_classes),
    static_lt=dict(
        config='../tuning/slowfast_r101_16x8_static_lt_{dataset}_split1.py', options=own_classes
    ),
    dynamic_lt=dict(
        config='../tuning/slowfast_r101_16x8_dynamic_lt_{dataset}_split1.py', options=own_classes
    ),
)
