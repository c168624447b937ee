"""A run as one HTML page: nothing else is needed to read it, no network either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from matplotlib.figure import Figure

from mmaction_kd.figures.figure_image import data_uri
from mmaction_kd.figures.palette import ROLES
from mmaction_kd.figures.run_figures import (
    DIVERGING,
    class_bars_figure,
    class_map_figure,
    curves_figure,
    weight_histogram_figure,
)
from mmaction_kd.report.run import Run
from mmaction_kd.report.run_comparison import Comparison, ConfusionChange, class_accuracies, compare

TOP = 10  # rows of a table of classes or of pairs
STYLE = """
:root { color-scheme: light }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;
  max-width: 68rem; padding: 1rem }
h1 { font-size: 1.6rem; line-height: 1.2; overflow-wrap: anywhere }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid #ddd; padding-top: 1rem }
h3 { font-size: 1rem; margin: 0 0 .25rem }
p { max-width: 44rem }
.row { display: grid; gap: 1.5rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
figure { margin: 0; min-width: 0 }
figure img { width: 100%; max-width: 34rem; height: auto }
figcaption, .note { font-size: .875rem; color: #555 }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .875rem; margin: .5rem 0 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #eee;
  vertical-align: top; overflow-wrap: anywhere }
th { font-weight: 600 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
summary { cursor: pointer; margin: 1rem 0 }
"""
METHODS = {
    'MBD': 'MBD: per video the surer of two pathways teaches the other; at test their scores are '
    'fused by how sure each is',
    'DTKD': 'DTKD: for each class one teacher is responsible; a student learns from it, weighted '
    'by its hybrid score',
    '': 'no distillation',
}
# What a term of the loss is: its title, and how to read it.
TERMS = {
    'loss': ('Total loss', 'The sum that is minimised; the other figures show its terms.'),
    'loss_cls': (
        'Cross-entropy with the labels',
        'As it enters the sum: with DTKD times 1 − α, the weight that is left beside the teachers.',
    ),
    'loss_final': (
        'Distillation at the final layer',
        'What each pathway is charged, as a student, for differing from the scores of the surer '
        'one; weight α and T² are included.',
    ),
    'loss_intermediate': (
        'Distillation at the intermediate layer',
        'What each pathway is charged, as a student, for differing from the features of the surer '
        'one; weight β is included.',
    ),
    'loss_kd': (
        'Distillation from the responsible teacher',
        'How far the student is from its teachers: α T² times the weighted KL divergence.',
    ),
    'loss_teacher': (
        'Cross-entropy of the teachers',
        'Only of teachers that are trained along with the student, on their own classes.',
    ),
}


def run_page(
    run: Run, baseline: Run | None = None, notes: Sequence[str] = (), written: str = ''
) -> str:
    """The page of a run.

    Args:
        run: the run.
        baseline: one to compare the classes with.
        notes: what a reader should know besides.
        written: when, for the reader.

    Returns:
        HTML.

    Raises:
        ValueError: the runs can't be compared, see
            :func:`~mmaction_kd.report.run_comparison.compare`.
    """
    comparison = None if baseline is None else compare(run, baseline)
    parts = [
        _head(run, baseline, notes, written),
        _losses(run),
        _accuracies(run),
        _dominance(run),
        _fusion(run),
        _teacher_weights(run),
        _selectivity(run),
        _classes(run),
    ]
    if comparison is not None and baseline is not None:
        parts.append(_gains(run, baseline, comparison))
    else:
        parts.append(_confusions(run))
    parts.append(_all_classes(run, comparison))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(run.name)}</title><style>{STYLE}</style></head><body>\n'
        + '\n'.join(filter(None, parts))
        + '\n</body></html>\n'
    )


def method_of(run: Run) -> str:
    """Which method a run shows traces of: 'MBD', 'DTKD' or ''."""
    sources = {source for line in run.epochs for source in line['sources']}
    if 'dominance' in sources or 'local/dominance_share' in run.train:
        return 'MBD'
    return 'DTKD' if 'teacher_weights' in sources or 'loss_kd' in run.train else ''


def final_metrics(run: Run) -> tuple[str, dict[str, float]]:
    """What the run reached: in its last test, else in its last validation, else in training.

    Args:
        run: the run.

    Returns:
        Where it was measured, and the values by name.
    """
    if run.test.get('metrics'):
        where, found = 'last test', run.test['metrics']
    elif run.val:
        where, found = 'last validation', {key: y[-1] for key, (_, y) in run.val.items()}
    else:
        where = 'last lines of the training log (no validation, no test)'
        found = {k: y[-1] for k, (_, y) in run.train.items() if 'acc' in k or k == 'loss'}
    return where, {
        key: float(value)
        for key, value in found.items()
        if isinstance(value, int | float) and key not in ('data_time', 'time', 'memory')
    }


# --- Sections -----------------------------------------------------------------------------------


def _head(run: Run, baseline: Run | None, notes: Sequence[str], written: str) -> str:
    times = [x[-1] for x, _ in run.train.values()] + [run.time(line) for line in run.epochs]
    done = max(times, default=0)
    done_text = f'{done:.0f}' if done == round(done) else f'{done:.1f}'
    trained = (
        f'{done_text} of {run.max_time} {run.unit}s' if run.max_time else f'{done_text} {run.unit}s'
    )
    facts = [
        ('method', METHODS[method_of(run)]),
        ('trained', trained if done else 'not here: this is a test alone'),
        ('classes', str(run.num_classes or 'not recorded')),
        ('folder', str(run.folder)),
    ]
    if baseline is not None:
        facts.append(('baseline', f'{baseline.name} ({baseline.folder})'))
    if written:
        facts.append(('written', written))
    where, metrics = final_metrics(run)
    reached = [[n, _number(value)] for n, value in metrics.items() if 'selectivity' not in n]
    kind = 'what distillation did' if method_of(run) else 'a run without distillation'
    parts = [
        f'<h1>{escape(run.name)}: {kind}</h1>',
        _table([], [[escape(a), escape(b)] for a, b in facts]),
        *(f'<p class="note">{escape(note)}</p>' for note in notes),
    ]
    if reached:
        parts.append(f'<h3>Reached in the {escape(where)}</h3>')
        parts.append(_table(['metric', '#value'], [[escape(a), b] for a, b in reached]))
    return '\n'.join(parts)


def _losses(run: Run) -> str:
    by_term: dict[str, dict] = {}
    for key, curve in run.train.items():
        if 'loss' in key:
            owner, _, term = key.rpartition('/')
            name = owner or ('sum of the terms' if term == 'loss' else _main_name(run))
            by_term.setdefault(term, {})[name] = curve
    figures = []
    for term in sorted(by_term, key=lambda t: list(TERMS).index(t) if t in TERMS else len(TERMS)):
        title, caption = TERMS.get(term, (term, 'A term of the loss, as it enters the sum.'))
        figure = curves_figure(by_term[term], run.unit, 'loss')
        figures.append((title, figure, caption))
    text = f'Each term as it is summed, over the {run.unit}s of the training.{_whose(run)}'
    return _section('Losses', text, figures)


def _whose(run: Run) -> str:
    if run.ranks == 1:
        return ''
    return f' Logged by the first of {run.ranks} processes, of its own share of each batch.'


def _accuracies(run: Run) -> str:
    training = {}
    for key, curve in run.train.items():
        owner, _, what = key.rpartition('/')
        if what == 'top1_acc':
            training[owner or _main_name(run)] = curve
    for name in _teachers(run):
        if f'{name}/wrong_share' in run.train:
            x, wrong = run.train[f'{name}/wrong_share']
            training[f'{name} teacher'] = (x, 1 - wrong)
    figures = []
    if training:
        caption = (
            'Share of the videos that are named right, in the batches that were logged: a point is '
            f'one batch, so it jumps.{_whose(run)}'
        )
        if _teachers(run):
            caption += ' A teacher counts on its own classes only.'
        figures.append(
            ('In training', curves_figure(training, run.unit, 'top-1 accuracy', True), caption)
        )
    for what, title, caption in (
        ('top1', 'In validation', 'Share of the validation videos that are named right.'),
        (
            'mean1',
            'In validation, mean of the classes',
            'Every class counts the same, however many videos it has.',
        ),
    ):
        series = {}
        for key, curve in run.val.items():
            found = re.fullmatch(rf'(?:.*/)?(?:(\w+)_)?{what}', key)
            if found:
                of_subset = found[1] not in (None, 'fused', 'local', 'global')
                name = f'{found[1]} classes' if of_subset else found[1] or _main_name(run)
                series[name] = curve
        teachers = _teachers_in_validation(run) if what == 'top1' else {}
        if teachers:
            series |= teachers
            caption += ' A teacher counts on its own classes only.'
        if series:
            label = 'top-1 accuracy' if what == 'top1' else 'mean-class accuracy'
            figures.append((title, curves_figure(series, run.unit, label, True), caption))
    text = '' if run.val else 'The run was not validated: these are the videos it learned from.'
    return _section('Accuracy', text, figures)


def _dominance(run: Run) -> str:
    times, counts, sums = run.over_time('dominance')
    series = {}
    if len(times):
        for name, seen in sums.items():
            series[name] = (times, seen.sum(1) / counts.sum(1))
    else:
        for name in ('local', 'global'):
            if f'{name}/dominance_share' in run.train:
                series[name] = run.train[f'{name}/dominance_share']
    if not series:
        return ''
    figures = [
        (
            'Who teaches',
            curves_figure(series, run.unit, 'share of the videos', True),
            'The share of the training videos of which each pathway is the surer one. A line that '
            'stays at 100 % means that one pathway teaches and the other only learns.',
        )
    ]
    wrong = {
        f'{name} learns': run.train[key]
        for name in ('local', 'global')
        if (key := f'{name}/teacher_wrong_share') in run.train
    }
    if wrong:
        figures.append(
            (
                'Taught something wrong',
                curves_figure(wrong, run.unit, 'share of the taught', True),
                'Of the videos that are taught to a pathway the share whose teacher names another '
                'class than the label: sure is not right. A point is one logged batch.',
            )
        )
    if len(times):
        figures.append(
            (
                'Who teaches, by class',
                class_map_figure(
                    times, _per_sample(sums['local'], counts), run.class_names, run.unit,
                    'share of the videos that local teaches', DIVERGING,
                ),
                'A row is a class: blue where the local pathway teaches (short-term motion), '
                'orange where the global one does (the whole action).',
            )
        )  # fmt: skip
    return _section(
        'Dominance: which pathway teaches',
        'Per training video the pathway that is surer of its own scores teaches the other one.',
        figures,
    )


def _fusion(run: Run) -> str:
    evaluation = run.evaluation()
    weights = evaluation.get('weights', {})
    if not weights:
        return ''
    name = 'local' if 'local' in weights else min(weights)
    others = ', '.join(sorted(set(weights) - {name}))
    rows = _floats(weights[name]['mean'])
    label = f'weight of {name}'
    figures = [
        (
            'Over the videos',
            weight_histogram_figure(weights[name]['bins'], _mean_weight(evaluation, name), label),
            f'How many videos have which weight; right of 0.5 {name} counts more than {others}.',
        ),
        (
            'By class',
            _bars_around_half(rows, run.class_names, f'mean weight of {name}'),
            f'Blue classes lean on {name}, orange ones on {others}; bars start at equal weights.',
        ),
    ]
    over = [line for line in run.evaluations if name in line.get('weights', {})]
    if len(over) > 1:
        times = np.array([run.time(line) for line in over])
        series = {
            h: (times, np.array([_mean_weight(line, h) for line in over])) for h in sorted(weights)
        }
        figures.append(
            (
                'In each validation',
                curves_figure(series, run.unit, 'mean weight', True, whole=False),
                'The mean over the validation videos; the two sum to 100 %.',
            )
        )
    text = f'How much each pathway counts in the fused score ({_told(run, evaluation)}).'
    return _section('Fusion weights', text, figures)


def _teacher_weights(run: Run) -> str:
    times, counts, sums = run.over_time('teacher_weights')
    if not len(times):
        series = {
            f'{name} teacher': run.train[f'{name}/weight']
            for name in _teachers(run)
            if f'{name}/weight' in run.train
        }
        if not series:
            return ''
        figure = curves_figure(series, run.unit, 'mean weight', True)
        caption = 'The mean weight that a teacher has on the videos of its own classes.'
        return _section("Teachers' weights", '', [('On their own classes', figure, caption)])
    owner = _owners(sums)
    own = np.stack(list(sums.values()))[owner, :, np.arange(len(owner))].T  # (E, K)
    names = list(sums)
    series = {}
    for place, name in enumerate(names):
        mine = owner == place
        if mine.any():
            total = counts[:, mine].sum(1)
            mean = np.divide(
                own[:, mine].sum(1), total, out=np.full(len(total), np.nan), where=total > 0
            )
            series[f'{name} teacher'] = (times, mean)
    by_class = _per_sample(own, counts)
    labels = [f'{c} ({names[o]})' for c, o in zip(run.class_names, owner, strict=True)]
    known = by_class[np.isfinite(by_class)]
    low, high = (
        (np.floor(10 * known.min()) / 10, np.ceil(10 * known.max()) / 10) if len(known) else (0, 1)
    )
    figures = [
        (
            'On their own classes',
            curves_figure(series, run.unit, 'mean weight', True),
            'w of equation (9): how much of the teacher that is responsible enters the soft '
            'targets. 100 % is BSKD, which trusts it always.',
        ),
        (
            'By class, over time',
            class_map_figure(
                times, by_class, labels, run.unit, 'mean weight of the responsible teacher',
                limits=(min(low, high - 0.1), high),
            ),
            'A row is a class, with the subset whose teacher is responsible; dark is little '
            'trusted, bright much.',
        ),
        (
            f'By class, {run.unit} {times[-1]:.0f}',
            class_bars_figure(
                by_class[-1], labels, 'mean weight', 0.0, (0, 1), (ROLES['run'],) * 2
            ),
            'A low weight: the teacher is unsure of the class, or its loss on it is high.',
        ),
    ]  # fmt: skip
    return _section(
        "Teachers' weights",
        'The hybrid score weighs a teacher by how sure it is and how low its loss is, within the '
        'batch; w_static and w_dynamic are the weights on the classes that each is responsible '
        'for.',
        figures,
    )


def _selectivity(run: Run) -> str:
    figures = []
    for what, title, unit, caption in (
        (
            'sm', 'Selectivity margin (SM)', 'SM [nats]',
            'Above 0 the student is nearer to the teacher that is responsible than to the other.',
        ),
        (
            'sir', 'Selectivity ratio (SIR)', 'SIR',
            'How many times farther the student is from the other teacher than from its own; 1 is '
            'no difference. The axis is logarithmic.',
        ),
    ):  # fmt: skip
        series = {
            match[1]: curve
            for key, curve in run.val.items()
            if (match := re.fullmatch(rf'(?:.*/)?(\w+)_{what}', key)) and 'selectivity' in key
        }
        if series:
            figure = curves_figure(series, run.unit, unit, log=what == 'sir')
            figures.append((title, figure, caption))
    tested = {k: v for k, v in run.test.get('metrics', {}).items() if 'selectivity' in k}
    table = ''
    if tested:
        rows = [[escape(key), _number(value)] for key, value in tested.items()]
        table = '<h3>In the last test</h3>' + _table(['metric', '#value'], rows)
    text = 'Whether the student imitates each teacher on its own classes, and only there.'
    return _section('Selectivity: who is imitated', text, figures, table)


def _classes(run: Run) -> str:
    figures = []
    over = [line for line in run.evaluations if 'hits' in line]
    if len(over) > 1:
        values = np.array([class_accuracies(line) for line in over])
        times = np.array([run.time(line) for line in over], dtype=float)
        figures.append(
            (
                'In each validation',
                class_map_figure(times, values, run.class_names, run.unit, 'top-1 accuracy'),
                'A row is a class: bright is right; grey: no videos.',
            )
        )
    evaluation = run.evaluation()
    if evaluation:
        figures.append(
            (
                f'In the last {"test" if evaluation["kind"] == "test" else "validation"}',
                class_bars_figure(
                    class_accuracies(evaluation), run.class_names, 'top-1 accuracy', 0.0, (0, 1),
                    (ROLES['run'],) * 2,
                ),
                'Share of the videos of each class that are named right.',
            )
        )  # fmt: skip
    return _section('Accuracy of each class', '', figures)


def _gains(run: Run, baseline: Run, comparison: Comparison) -> str:
    gains = comparison.gains
    told = ['the last ' + ('test' if kind == 'test' else 'validation') for kind in comparison.kind]
    of = told[0] if told[0] == told[1] else f'{told[0]} against {told[1]} of the baseline'
    text = f'Against {baseline.name}, in {of}. A class with few videos jumps by much for one video.'
    if not comparison.same_videos:
        text += ' The two saw different numbers of videos, so counts of confusions differ for that.'
    figures = [
        (
            'Gain of each class',
            class_bars_figure(
                gains, run.class_names, 'gain in top-1 accuracy [points]', percent=False
            ),
            f'Blue classes are named right more often than by {baseline.name}, orange ones less.',
        )
    ]
    names = run.class_names
    order = [int(i) for i in np.argsort(-gains, kind='stable') if np.isfinite(gains[i])]
    up = [i for i in order if gains[i] > 0][:TOP]
    down = [i for i in order[::-1] if gains[i] < 0][:TOP]
    tables = (
        f'<div class="row"><div><h3>Largest gains</h3>{_gain_table(up, comparison, names)}</div>'
        f'<div><h3>Largest losses</h3>{_gain_table(down, comparison, names)}</div>'
        '<div><h3>Pairs confused less</h3>'
        f'{_change_table(comparison.better[:TOP], names)}</div>'
        '<div><h3>Pairs confused more</h3>'
        f'{_change_table(comparison.worse[:TOP], names)}</div></div>'
    )
    return _section('Gain over the baseline', text, figures, tables)


def _confusions(run: Run) -> str:
    evaluation = run.evaluation()
    if not evaluation.get('wrong'):
        return ''
    names, count = run.class_names, evaluation['count']
    pairs = sorted(evaluation['wrong'], key=lambda pair: -pair[2])[:TOP]
    rows = [[escape(names[y]), escape(names[p]), f'{n} of {count[y]}'] for y, p, n in pairs]
    table = _table(['label', 'taken for', '#videos'], rows)
    text = f'The pairs that are confused most ({_told(run, evaluation)}).'
    return _section('Confusions', text, [], table)


def _all_classes(run: Run, comparison: Comparison | None) -> str:
    columns: dict[str, list[str]] = {}
    evaluation = run.evaluation()
    if evaluation:
        columns['#videos'] = [str(n) for n in evaluation['count']]
        columns['#top-1'] = _percents(class_accuracies(evaluation))
    if comparison is not None:
        columns['#baseline'] = _percents(comparison.baseline)
        columns['#gain'] = [_points(gain) for gain in comparison.gains]
    for name, weight in evaluation.get('weights', {}).items():
        columns[f'#fusion weight of {name}'] = _percents(_floats(weight['mean']))
    _, counts, sums = run.over_time('dominance')
    if len(counts):
        columns['#taught by local'] = _percents(_per_sample(sums['local'], counts)[-1])
    _, counts, sums = run.over_time('teacher_weights')
    if len(counts):
        for name, seen in sums.items():
            columns[f'#weight of {name}'] = _percents(_per_sample(seen, counts)[-1])
    if not columns:
        return ''
    rows = [
        [escape(name), *cells]
        for name, *cells in zip(run.class_names, *columns.values(), strict=True)
    ]
    return (
        f'<details><summary>All {len(rows)} classes in numbers</summary><div class="wide">'
        f'{_table(["class", *columns], rows)}</div></details>'
    )


# --- What sections are made of ------------------------------------------------------------------


def _section(
    title: str, text: str, figures: Sequence[tuple[str, Figure, str]], more: str = ''
) -> str:
    if not (figures or more):
        return ''
    drawn = [
        f'<figure><h3>{escape(name)}</h3>'
        f'<img src="{data_uri(figure)}" alt="{escape(name)}: {escape(caption)}">'
        f'<figcaption>{escape(caption)}</figcaption></figure>'
        for name, figure, caption in figures
    ]
    return (
        f'<h2>{escape(title)}</h2>\n<p>{escape(text)}</p>\n'
        f'<div class="row">\n{"".join(drawn)}</div>\n{more}'
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML already; a head that begins with # is of a column of numbers."""
    right = [head.startswith('#') for head in heads]
    kinds = [' class="number"' if r else '' for r in right]
    lines = []
    if heads:
        cells = zip(heads, kinds, strict=True)
        lines.append(''.join(f'<th{k}>{escape(h.removeprefix("#"))}</th>' for h, k in cells))
    for row in rows:
        cells = zip(row, kinds or [''] * len(row), strict=True)
        lines.append(''.join(f'<td{k}>{cell}</td>' for cell, k in cells))
    return '<table>' + '\n'.join(f'<tr>{line}</tr>' for line in lines) + '</table>'


def _gain_table(classes: Sequence[int], comparison: Comparison, names: Sequence[str]) -> str:
    if not classes:
        return '<p class="note">None.</p>'
    rows = [
        [
            escape(names[i]),
            _percents([comparison.baseline[i]])[0],
            _percents([comparison.baseline[i] + comparison.gains[i]])[0],
            _points(comparison.gains[i]),
        ]
        for i in classes
    ]
    return _table(['class', '#baseline', '#this run', '#points'], rows)


def _change_table(changes: Sequence[ConfusionChange], names: Sequence[str]) -> str:
    if not changes:
        return '<p class="note">None.</p>'
    rows = [
        [
            escape(names[c.label]),
            escape(names[c.predicted]),
            f'{c.before} → {c.now}',
            str(c.videos),
        ]
        for c in changes
    ]
    return _table(['label', 'taken for', '#before → now', '#videos of the label'], rows)


def _main_name(run: Run) -> str:
    return {'DTKD': 'student', 'MBD': 'fused', '': 'model'}[method_of(run)]


def _teachers(run: Run) -> list[str]:
    """Names of DTKD's teachers."""
    _, _, sums = run.over_time('teacher_weights')
    logged = [key.removesuffix('/wrong_share') for key in run.train if key.endswith('/wrong_share')]
    return sorted(sums or logged)


def _owners(sums: dict[str, np.ndarray]) -> np.ndarray:
    """Of each class the teacher with the largest weight, as its place among the names, (K,)."""
    return np.stack([seen.sum(0) for seen in sums.values()]).argmax(0)


def _teachers_in_validation(run: Run) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    _, _, sums = run.over_time('teacher_weights')
    found = {}
    for place, name in enumerate(sums):
        over = [line for line in run.evaluations if name in line.get('hits_of', {})]
        own = _owners(sums) == place
        if over and own.any():
            right = [np.array(line['hits_of'][name])[own].sum() for line in over]
            videos = [max(1, np.array(line['count'])[own].sum()) for line in over]
            times = np.array([run.time(line) for line in over])
            found[f'{name} teacher'] = (times, np.array(right) / np.array(videos))
    return found


def _bars_around_half(values: np.ndarray, names: Sequence[str], xlabel: str) -> Figure:
    reach = 1.1 * np.nanmax(np.abs(values - 0.5), initial=0.02)
    sides = (ROLES['global'], ROLES['local'])
    return class_bars_figure(values, names, xlabel, 0.5, (0.5 - reach, 0.5 + reach), sides)


def _mean_weight(evaluation: dict, name: str) -> float:
    means, count = _floats(evaluation['weights'][name]['mean']), np.array(evaluation['count'])
    return float(np.nansum(means * count) / max(1, count.sum()))


def _per_sample(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _told(run: Run, evaluation: dict) -> str:
    videos = sum(evaluation['count'])
    if evaluation['kind'] == 'test':
        return f'{videos} videos of the last test'
    return f'{videos} videos of the validation after {run.unit} {run.time(evaluation):.0f}'


def _number(value: float) -> str:
    return f'{value:.4f}' if abs(value) < 100 else f'{value:.1f}'


def _percents(values: Iterable[float]) -> list[str]:
    return [f'{100 * value:.1f} %' if np.isfinite(value) else '–' for value in values]


def _points(gain: float) -> str:
    return f'{100 * gain:+.1f}' if np.isfinite(gain) else '–'
