"""What is shown of the students: Table 3, Fig. 6, Fig. 7, Table 6 and Fig. 8 of DTKD."""

students = ['baseline', 'bskd', 'dtkd']
selectivity = {
    f'{subset} {name}': dict(arm='dtkd', metric=f'selectivity/{metric}')
    for subset in ('static', 'dynamic')
    for name, metric in (
        ('KL to the static teacher', f'static_teacher_{subset}'),
        ('KL to the dynamic teacher', f'dynamic_teacher_{subset}'),
        ('SM', f'{subset}_sm'),
        ('SIR', f'{subset}_sir'),
    )
}
figures = [
    dict(kind='curves', title='Validation (Fig. 6)', arms=students),
    dict(
        kind='bars',
        title='By subset (Fig. 7)',
        arms=students,
        metrics=['acc/static_mean1', 'acc/dynamic_mean1', 'acc/mean1'],
    ),
    dict(kind='selectivity', title='Distance of the student to each teacher (Fig. 8)', arm='dtkd'),
]
