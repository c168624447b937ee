"""Sections of DTKD: how far each teacher is trusted, and which one the student imitates."""

from __future__ import annotations

import re

import numpy as np

from mmaction_kd.observations import (
    LOSS_KD,
    LOSS_TEACHER,
    RESPONSIBLE,
    TEACHER_WEIGHTS,
    WEIGHT,
    WRONG_SHARE,
)
from mmaction_kd.report.common import PLAIN_BARS, Method, Term
from mmaction_kd.report.figures.run_figures import (
    Series,
    class_bars_figure,
    class_map_figure,
    curves_figure,
)
from mmaction_kd.report.run import Run
from mmaction_kd.report.section import Plot, Section, Table, number, percents, ratios

TERMS = {
    'loss_cls': Term(
        'Cross-entropy with the labels',
        'As it enters the sum: times 1 − α, the weight that is left beside the teachers.',
    ),
    LOSS_KD: Term(
        'Distillation from the responsible teacher',
        'How far the student is from its teachers: α T² times the weighted KL divergence.',
    ),
    LOSS_TEACHER: Term(
        'Cross-entropy of the teachers',
        'Only of teachers that are trained along with the student, on their own classes.',
    ),
}
SELECTIVITY = 'selectivity'


def detect(run: Run) -> bool:
    """Whether a run trained or tested a student with several teachers."""
    keys = [*run.val, *run.test.get('metrics', {})]
    return (
        LOSS_KD in run.train
        or any(TEACHER_WEIGHTS in line['sources'] for line in run.epochs)
        or any(SELECTIVITY in key for key in keys)
    )


def sections(run: Run) -> list[Section]:
    """Show the teachers' weights and the student's selectivity."""
    return [_teacher_weights(run), _selectivity(run)]


def columns(run: Run) -> dict[str, list[str]]:
    """Return the mean weight of each teacher for each class."""
    times, counts, sums = run.over_time(TEACHER_WEIGHTS)
    if not len(times):
        return {}
    return {
        f'weight of {t}': percents(ratios(observed, counts)[-1]) for t, observed in sums.items()
    }


def teachers_in_training(run: Run) -> Series:
    """Return the accuracy of each teacher on the logged batches."""
    found = {}
    for key, (times, wrong) in run.train.items():
        name, _, term = key.rpartition('/')
        if term == WRONG_SHARE and name:
            found[f'{name} teacher'] = (times, 1 - wrong)
    return dict(sorted(found.items()))


def teachers_in_validation(run: Run) -> Series:
    """Return the accuracy of each teacher on the validation videos of its own classes."""
    found = {}
    for name, own in _own_classes(run).items():
        over = [line for line in run.evaluations if name in line.get('hits_of', {})]
        if over and own.any():
            right = [np.array(line['hits_of'][name])[own].sum() for line in over]
            videos = [max(1, np.array(line['count'])[own].sum()) for line in over]
            times = np.array([run.time(line) for line in over])
            found[f'{name} teacher'] = (times, np.array(right) / np.array(videos))
    return found


METHOD = Method(
    'DTKD: for each class one teacher is responsible; a student learns from it, weighted by its '
    'hybrid score',
    'student',
    detect,
    TERMS,
    sections,
    columns,
    teachers_in_training,
    teachers_in_validation,
)


def _own_classes(run: Run) -> dict[str, np.ndarray]:
    """For each teacher which classes it is responsible for, (K,), bool."""
    # Older records do not hold it: take the teacher that weighs more.
    sums = run.over_time(RESPONSIBLE).sums or run.over_time(TEACHER_WEIGHTS).sums
    if not sums:
        return {}
    owner = np.stack([observed.sum(0) for observed in sums.values()]).argmax(0)
    return {name: owner == place for place, name in enumerate(sums)}


def _teacher_weights(run: Run) -> Section:
    title = "Teachers' weights"
    times, counts, sums = run.over_time(TEACHER_WEIGHTS)
    if not len(times):  # a run without the hook: the log alone
        series = {
            f'{key.removesuffix(f"/{WEIGHT}")} teacher': curve
            for key, curve in sorted(run.train.items())
            if key.endswith(f'/{WEIGHT}')
        }
        figure = curves_figure(series, run.unit, 'mean weight', True)
        caption = 'The mean weight that a teacher has on the videos of its own classes.'
        return Section(title, '', [Plot('On their own classes', figure, caption)] if series else [])
    series, labels, weights = {}, list(run.class_names), np.zeros_like(counts)
    for name, own in _own_classes(run).items():
        weights[:, own] = sums[name][:, own]
        if own.any():
            mean = ratios(sums[name][:, own].sum(1), counts[:, own].sum(1))
            series[f'{name} teacher'] = (times, mean)
        labels = [f'{c} ({name})' if mine else c for c, mine in zip(labels, own, strict=True)]
    by_class = ratios(weights, counts)
    known = by_class[np.isfinite(by_class)]
    low, high = (
        (np.floor(10 * known.min()) / 10, np.ceil(10 * known.max()) / 10) if len(known) else (0, 1)
    )
    plots = [
        Plot(
            'On their own classes',
            curves_figure(series, run.unit, 'mean weight', True),
            'w of equation (9): how much of the teacher that is responsible enters the soft '
            'targets. 100 % is BSKD, which trusts it always.',
        ),
        Plot(
            'By class, over time',
            class_map_figure(
                times,
                by_class,
                labels,
                run.unit,
                'mean weight of the responsible teacher',
                limits=(min(low, high - 0.1), high),
            ),
            'A row is a class, with the subset whose teacher is responsible; dark is little '
            'trusted, bright much.',
        ),
        Plot(
            f'By class, {run.unit} {times[-1]:.0f}',
            class_bars_figure(
                by_class[-1], labels, 'mean weight', limits=(0, 1), colours=PLAIN_BARS
            ),
            'A low weight: the teacher is unsure of the class, or its loss on it is high.',
        ),
    ]
    text = (
        'The hybrid score weighs a teacher by its confidence and by how low its loss is, within '
        'the batch; w_static and w_dynamic are the weights on the classes that each is responsible '
        'for.'
    )
    return Section(title, text, plots)


def _selectivity(run: Run) -> Section:
    plots = []
    margins, ratio = _selectivities(run, 'sm'), _selectivities(run, 'sir')
    if margins:
        plots.append(
            Plot(
                'Selectivity margin (SM)',
                curves_figure(margins, run.unit, 'SM [nats]'),
                'Above 0 the student is nearer to the teacher that is responsible than to the '
                'other.',
            )
        )
    if ratio:
        plots.append(
            Plot(
                'Selectivity ratio (SIR)',
                curves_figure(ratio, run.unit, 'SIR', log=True),
                'How many times farther the student is from the other teacher than from its own; '
                '1 is no difference. The axis is logarithmic.',
            )
        )
    metrics = run.test.get('metrics', {})
    rows = [[key, number(value)] for key, value in metrics.items() if SELECTIVITY in key]
    tables = [Table(['metric', 'value'], rows, 'In the last test')] if rows else []
    text = 'Whether the student imitates each teacher on its own classes, and only there.'
    return Section('Selectivity: who is imitated', text, plots, tables)


def _selectivities(run: Run, measure: str) -> Series:
    """A measure of each validation, by subset."""
    return {
        match[1]: curve
        for key, curve in run.val.items()
        if (match := re.fullmatch(rf'(?:.*/)?(\w+)_{measure}', key)) and SELECTIVITY in key
    }
