"""What the hyper-parameters on split 1 (Table 5) share."""

_base_ = './official_splits.py'

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
        config='../tuning/slowfast_r101_16x8_static_lt_{dataset}_split1.py', options=own_classes
    ),
    dynamic_lt=dict(
        config='../tuning/slowfast_r101_16x8_dynamic_lt_{dataset}_split1.py', options=own_classes
    ),
    lt=dict(config='{made}/dtkd.py', options=lt),
    lt_trained=dict(config='{made}/dtkd.py', options={**lt, 'model.frozen_teachers': False}),
)
figures = [
    dict(kind='surface', arm='weights', title='KD weight and temperature', metric='acc/top1')
]
