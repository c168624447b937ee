"""Beyond the paper, on UCF101: other thresholds between static and dynamic classes.

    python tools/study.py configs/dtkd/studies/thresholds_ucf101.py --devices 8

Quartiles of the class means, and Otsu's, which adapts to them, of the optical flow of each split's
training videos. Each has its own subsets, teachers and student; the baseline is one.
"""

_base_ = '_base_/procedure.py'

title = 'DTKD on UCF101: thresholds'
folds = ['split_1', 'split_2', 'split_3']
baseline_config = '{here}/../slowfast_r101_16x8_ucf101_split1.py'
test_list = 'data/ucf101/ucf101_val_{fold}_videos.txt'
fold_options = (
    'train_dataloader.dataset.ann_file=data/ucf101/ucf101_train_{fold}_videos.txt '
    'val_dataloader.dataset.ann_file={test_list} test_dataloader.dataset.ann_file={test_list}'
)
names = ['q1', 'q2', 'q3', 'otsu']
students = ['baseline', *(f'dtkd_{name}' for name in names)]
procedure = '{python} {tools}/dtkd.py {baseline_config} --work-dir {folder} --configs-only'
settings = '--distill-options {distill_options} --cfg-options {fold_options}'
arms = dict(
    _delete_=True,
    baseline=dict(config='{setup_q1.folder}/configs/baseline.py'),
    **{
        f'setup_{name}': dict(
            once_per='fold', command=f'{{procedure}} --threshold {name} {{settings}}'
        )
        for name in names
    },
    **{
        f'{subset}_{name}': dict(config=f'{{setup_{name}.folder}}/configs/{subset}.py')
        for name in names
        for subset in ('static', 'dynamic')
    },
    **{
        f'dtkd_{name}': dict(
            config=f'{{setup_{name}.folder}}/configs/dtkd.py',
            options={
                f'model.teachers.{subset}.checkpoint': f'{{{subset}_{name}.checkpoint}}'
                for subset in ('static', 'dynamic')
            },
        )
        for name in names
    },
)
tables = [
    dict(rows=students, metric='acc/top1', metrics=['acc/mean1'], baseline='baseline'),
]
figures = [
    dict(kind='bars', title='Thresholds', arms=students, metrics=['acc/top1', 'acc/mean1']),
]
