"""DTKD and its peers: the same student alone, by BSKD, and by one teacher over all classes.

For studies that set data, the config of the student, and where the lists of a fold and a seed are.
`one_teacher` is ordinary distillation from one teacher over all classes, the peer of two teachers
of subsets: BSKD whose two teachers are one and unmasked. `*_t4` is the same with T = 4 and a weight
of 0.7 instead of the paper's T = 2 and 0.4.
"""

lists = (
    'train_dataloader.dataset.ann_file={train_list} '
    'train_dataloader.dataset.data_prefix.video={videos} '
    'test_dataloader.dataset.ann_file={test_list} '
    'test_dataloader.dataset.data_prefix.video={videos}'
)
made = '{setup.folder}/configs'
teachers, loss = 'model.teachers', 'model.distill_loss'


def taught_by(static, dynamic):
    return {
        f'{teachers}.{name}.{what}': f'{{{arm}.{what}}}'
        for name, arm in (('static', static), ('dynamic', dynamic))
        for what in ('config', 'checkpoint')
    }


taught = taught_by('static', 'dynamic')
by_one = taught_by('teacher', 'teacher') | {
    f'{loss}.teacher_head': 'full',
    f'{loss}.mask_value': None,
}
t4 = {f'{loss}.kd_temperature': 4.0, f'{loss}.kd_weight': 0.7}
arms = dict(
    setup=dict(
        command='{python} {tools}/dtkd.py {baseline_config} --work-dir {folder} {subsets} '
        '--configs-only --distill-options s_alpha=0.3 kd_weight=0.4 --cfg-options {lists} {more}'
    ),
    static=dict(config=f'{made}/static.py'),
    dynamic=dict(config=f'{made}/dynamic.py'),
    teacher=dict(config=f'{made}/baseline.py'),
    baseline=dict(config=f'{made}/baseline.py'),
    bskd=dict(config=f'{made}/bskd.py', options=taught),
    dtkd=dict(config=f'{made}/dtkd.py', options=taught),
    one_teacher=dict(config=f'{made}/bskd.py', options=by_one),
    bskd_t4=dict(config=f'{made}/bskd.py', options={**taught, **t4}),
    dtkd_t4=dict(config=f'{made}/dtkd.py', options={**taught, **t4}),
    one_teacher_t4=dict(config=f'{made}/bskd.py', options={**by_one, **t4}),
)
students = ['baseline', 'bskd', 'dtkd', 'one_teacher', 'bskd_t4', 'dtkd_t4', 'one_teacher_t4']
tables = [
    dict(
        title='Students',
        rows=students,
        metric='acc/mean1',
        metrics=['acc/static_mean1', 'acc/dynamic_mean1'],
        baseline='baseline',
    ),
    dict(
        title='Students against ordinary distillation',
        rows=['one_teacher', 'bskd', 'dtkd', 'one_teacher_t4', 'bskd_t4', 'dtkd_t4'],
        metric='acc/mean1',
        baseline='one_teacher',
    ),
    dict(title='Teachers', rows=['static', 'dynamic', 'teacher'], metric='acc/mean1'),
]
figures = [dict(kind='bars', title='Students', arms=students, metrics=['acc/mean1'])]
