"""Hyper-parameters on HMDB51, split 1 (Table 5): S_alpha, KD weight, temperature, LT, FT, BSKD.

    python tools/study.py configs/dtkd/studies/settings_hmdb51.py --devices 8

Which values the paper's runs had is known to us in part; the grids hold those and their neighbours.
"""

_base_ = '_base_/hmdb51.py'

title = 'DTKD on HMDB51: settings'
folds = ['split_1']
seeds = [0]
loss = 'model.distill_loss'
lt = {
    'model.teachers.static.checkpoint': '{static_lt.checkpoint}',
    'model.teachers.dynamic.checkpoint': '{dynamic_lt.checkpoint}',
}
own_classes = {
    f'{loader}_dataloader.dataset.subsets': '{subsets.folder}/subsets.json'
    for loader in ('train', 'val', 'test')
}
student = dict(config='{made}/dtkd.py', options=_base_.taught)
arms = dict(
    s_alpha=dict(**student, grid={f'{loss}.s_alpha': [0.0, 0.3, 0.5, 0.7, 1.0]}),
    weights=dict(
        **student,
        grid={f'{loss}.kd_weight': [0.2, 0.4, 0.6, 0.8], f'{loss}.kd_temperature': [2, 4, 8]},
    ),
    trained_teachers=dict(
        config='{made}/dtkd.py', options={**_base_.taught, 'model.frozen_teachers': False}
    ),
    static_lt=dict(
        config='../tuning/slowfast_r101_16x8_static_lt_hmdb51_split1.py', options=own_classes
    ),
    dynamic_lt=dict(
        config='../tuning/slowfast_r101_16x8_dynamic_lt_hmdb51_split1.py', options=own_classes
    ),
    lt=dict(config='{made}/dtkd.py', options=lt),
    lt_trained=dict(config='{made}/dtkd.py', options={**lt, 'model.frozen_teachers': False}),
)
figures = [
    dict(kind='surface', arm='weights', title='KD weight and temperature', metric='acc/top1')
]
