"""What the paper shows of each data set: Tables 3 to 6, Figures 5 to 8.

An arm has the name of the paper's row and follows from its line in paper.yml. A student's teachers
are arms as well: trained first, once for all students.
"""

_base_ = '../../paper.yml'


def model_arm(dataset, row):
    """Of Tables 3 and 4: a leaf, or the baseline on another split."""
    if 'config' in row:
        return dict(config=f'../{row.config}')
    return dict(
        config=f'../slowfast_r101_16x8_{dataset}_split1.py',
        options={
            f'{loader}_dataloader.dataset.ann_file': f'data/{dataset}/{dataset}_{part}_split_'
            f'{row.settings.split}_videos.txt'
            for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
        },
    )


def student_arm(dataset, row):
    """Of Table 5. LT is in which teachers it starts from, FT in whether they train along."""
    chosen = row.settings
    dynamic, static = chosen.teachers
    score = dict(s_alpha=chosen.s_alpha) if chosen.weighting == 'HybridScore' else {}
    return dict(
        config=f'../dtkd_slowfast_r101_16x8_{dataset}_split1.py',
        options={
            'model.teachers.static.checkpoint': f'{{{static}.checkpoint}}',
            'model.teachers.dynamic.checkpoint': f'{{{dynamic}.checkpoint}}',
            'model.frozen_teachers': chosen.FT,
            'model.distill_loss': dict(
                weighting=dict(_delete_=True, type=f'mmaction_kd.{chosen.weighting}', **score),
                kd_temperature=chosen.kd_temperature,
                kd_weight=chosen.kd_weight,
            ),
        },
    )


def scores_arm(dataset, student):
    """Of Table 6: a student, and its teachers as they were when it started."""
    metrics = ('SubsetAccMetric', 'SelectivityMetric')
    return dict(
        test_of=student,
        options={
            'model.frozen_teachers': True,
            'model.predict_teachers': True,
            'test_evaluator': [dict(type=f'mmaction_kd.{m}', subsets=dataset) for m in metrics],
        },
    )


def study(dataset, published, baseline, dtkd, bskd):
    """Arms, tables and figures of a data set."""
    scores = f'{dtkd}_scores'
    own = {
        item: {
            name: row
            for name, row in content.rows.items()
            if row.get('study') == f'studies/{dataset}.py'
        }
        for item, content in published.items()
    }
    arms = {
        **{n: model_arm(dataset, row) for n, row in {**own['Table 3'], **own['Table 4']}.items()},
        **{name: student_arm(dataset, row) for name, row in own['Table 5'].items()},
        scores: scores_arm(dataset, dtkd),
    }
    by_class = ['acc/mean1', 'acc/static_mean1', 'acc/dynamic_mean1']
    tables = [
        dict(
            title=f'{published[item].title.capitalize()} ({item})',
            rows=list(own[item]),
            metric='acc/top1',
            metrics=['acc/top5', *metrics],
            baseline=compared,
            paper={name: row.paper for name, row in own[item].items()},
        )
        for item, metrics, compared in (
            ('Table 3', by_class, baseline),
            ('Table 4', [], None),
            ('Table 5', by_class, None),
        )
    ]
    (gains,) = (row.paper for row in own['Fig. 7'].values())
    tables += [
        dict(
            title=f'Gain in {key} (Fig. 7)',
            rows=[baseline, dtkd],
            metric=f'acc/{key}',
            baseline=baseline,
            paper={dtkd: gain if gain[0] == '-' else f'+{gain}'},
            paper_name='gain',
        )
        for key, gain in gains.items()
    ]
    selectivity, printed = {}, {}
    for name, row in own['Table 6'].items():
        videos = name.split()[-1]
        for key, value in row.paper.items():
            cell = f'{videos}: {published["Table 6"].columns[key]}'
            metric = f'{videos}_{key}' if key in ('sm', 'sir') else f'{key}_{videos}'
            selectivity[cell] = dict(arm=scores, metric=f'selectivity/{metric}')
            printed[cell] = value
    tables.append(dict(title='Selectivity (Table 6)', rows=selectivity, paper=printed))
    splits = list(own['Fig. 5'])
    figures = [
        dict(kind='curves', title=f'{what} ({item})', arms=shown, metric=metric)
        for item, shown, loss in (
            ('Fig. 5', splits, 'loss'),
            # (13): where FT is False, 'loss' has that of the teachers, too.
            ('Fig. 6', [dtkd, bskd], ['loss_cls', 'loss_kd']),
        )
        for what, metric in (('Training loss', loss), ('Validation', 'acc/top1'))
    ]
    figures += [
        dict(
            kind='bars',
            title='By class (Fig. 7)',
            arms=[baseline, dtkd],
            metrics=['acc/top1', *by_class],
        ),
        dict(kind='selectivity', title='Distance to each teacher (Fig. 8)', arm=scores),
    ]
    return dict(arms=arms, tables=tables, figures=figures)


metric = 'acc/top1'
seeds = [0]  # the paper has one run of each
studies = dict(
    ucf101=study('ucf101', _base_.published, 'U1', 'SU12', 'SU13'),
    hmdb51=study('hmdb51', _base_.published, 'H1', 'SH3', 'SH13'),
)
