"""Teachers on HMDB51, split 1 (Table 4): trained as a whole, and with a frozen backbone (LT).

python tools/study.py configs/dtkd/studies/teachers_hmdb51.py --devices 8
"""

_base_ = '_base_/hmdb51.py'

title = 'Teachers on HMDB51'
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
    static=dict(config='../slowfast_r101_16x8_static_hmdb51_split1.py', options=own_classes),
    dynamic=dict(config='../slowfast_r101_16x8_dynamic_hmdb51_split1.py', options=own_classes),
    static_lt=dict(
        config='../tuning/slowfast_r101_16x8_static_lt_hmdb51_split1.py', options=own_classes
    ),
    dynamic_lt=dict(
        config='../tuning/slowfast_r101_16x8_dynamic_lt_hmdb51_split1.py', options=own_classes
    ),
)
