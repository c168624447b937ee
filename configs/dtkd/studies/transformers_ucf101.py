"""Beyond the paper, on UCF101: transformers as student and as teachers.

python tools/study.py configs/dtkd/studies/transformers_ucf101.py --devices 8
"""

title = 'DTKD on UCF101: transformers'
metric = 'acc/top1'
seeds = [0]
models = ['timesformer', 'swin_t']
source = '../transformers'
arms = {
    # The configs of all models, from that of the student alone.
    **{
        f'setup_{model}': dict(
            once_per='study',
            command=f'{{python}} {{tools}}/dtkd.py {{here}}/{{source}}/{model}_ucf101_split1.py '
            '--work-dir {folder} --configs-only --distill-options s_alpha=0.3 kd_weight=0.4',
        )
        for model in models
    },
    **{
        name: dict(config=f'{{setup_{model}.folder}}/configs/{role}.py')
        for model in models
        for role, name in (
            ('baseline', model),
            ('static', f'{model}_static'),
            ('dynamic', f'{model}_dynamic'),
        )
    },
    **{
        f'dtkd_{model}': dict(
            config=f'{{setup_{model}.folder}}/configs/dtkd.py',
            options={
                f'model.teachers.{subset}.checkpoint': f'{{{model}_{subset}.checkpoint}}'
                for subset in ('static', 'dynamic')
            },
        )
        for model in models
    },
    'slowfast_r50': dict(config='../slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py'),
    'dtkd_slowfast_r50_from_swin_t': dict(
        config='{source}/dtkd_from_swin_t_slowfast_r50_8x8_ucf101_split1.py',
        options={
            'model.teachers.static.checkpoint': '{swin_t_static.checkpoint}',
            'model.teachers.dynamic.checkpoint': '{swin_t_dynamic.checkpoint}',
        },
    ),
}
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
