"""Beyond the paper, on UCF101: transformers as student and as teachers.

python tools/study.py configs/dtkd/studies/transformers_ucf101.py --devices 8
"""

_base_ = '_base_/official_splits.py'

title = 'DTKD on UCF101: transformers'
dataset, paper_name = 'ucf101', 'UCF101 top-1'
folds = ['split_1']
models = ['timesformer', 'swin_t']
source = '../transformers'
own_classes = {
    f'{loader}_dataloader.dataset.subsets': '{subsets.folder}/subsets.json'
    for loader in ('train', 'val', 'test')
}
by_subset = {
    'val_evaluator.subsets': '{subsets.folder}/subsets.json',
    'test_evaluator.subsets': '{subsets.folder}/subsets.json',
}
arms = dict(
    _delete_=True,
    subsets=_base_.arms.subsets,
    **{
        model: dict(config=f'{{source}}/{model}_ucf101_split1.py', options=by_subset)
        for model in models
    },
    **{
        f'{model}_{subset}': dict(
            config=f'{{source}}/{model}_{subset}_ucf101_split1.py', options=own_classes
        )
        for model in models
        for subset in ('static', 'dynamic')
    },
    **{
        f'dtkd_{model}': dict(
            config=f'{{source}}/dtkd_{model}_ucf101_split1.py',
            options={
                **by_subset,
                'model.distill_loss.subsets': '{subsets.folder}/subsets.json',
                **{
                    f'model.teachers.{subset}.checkpoint': f'{{{model}_{subset}.checkpoint}}'
                    for subset in ('static', 'dynamic')
                },
            },
        )
        for model in models
    },
    slowfast_r50=dict(
        config='../slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py', options=by_subset
    ),
    dtkd_slowfast_r50_from_swin_t=dict(
        config='{source}/dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py',
        options={
            **by_subset,
            'model.distill_loss.subsets': '{subsets.folder}/subsets.json',
            'model.teachers.static.checkpoint': '{swin_t_static.checkpoint}',
            'model.teachers.dynamic.checkpoint': '{swin_t_dynamic.checkpoint}',
        },
    ),
)
tables = [
    dict(title=title, rows=[student, f'dtkd_{student}'], metric='acc/top1', baseline=student)
    for student, title in (('timesformer', 'TimeSformer'), ('swin_t', 'Video Swin-T'))
] + [
    dict(
        title='SlowFast R50 taught by Video Swin-T',
        rows=['slowfast_r50', 'dtkd_slowfast_r50_from_swin_t'],
        metric='acc/top1',
        baseline='slowfast_r50',
    )
]
