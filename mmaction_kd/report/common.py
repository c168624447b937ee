"""Sections of every run, whatever the method, and what a method adds to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from mmaction_kd.report.figures.palette import ROLES
from mmaction_kd.report.figures.run_figures import (
    Series,
    class_bars_figure,
    class_map_figure,
    curves_figure,
)
from mmaction_kd.report.run import Run
from mmaction_kd.report.run_comparison import Comparison, ConfusionChange, class_accuracies
from mmaction_kd.report.section import Plot, Section, Table, percents, points

TOP = 10  # rows of a table of classes or of pairs
PLAIN_BARS = (ROLES['run'], ROLES['run'])


class Term(NamedTuple):
    """A term of the loss: the title of its plot, and how to read it."""

    title: str
    caption: str


TERMS = {
    'loss': Term('Total loss', 'The sum that is minimised; the other figures show its terms.'),
    'loss_cls': Term('Cross-entropy with the labels', 'As it enters the sum.'),
}


class Method(NamedTuple):
    """What a distillation method adds to the page of a run.

    Attributes:
        name: the method in a sentence.
        model: role of the model whose keys in the log have no owner.
        detect: whether a run shows traces of it.
        terms: the terms of its loss.
        sections: its own sections.
        columns: columns of the table of all classes, by head.
        teachers_in_training: accuracy over time of separate teachers, by name.
        teachers_in_validation: accuracy over time of separate teachers, by name.
    """

    name: str
    model: str
    detect: Callable[[Run], bool]
    terms: Mapping[str, Term]
    sections: Callable[[Run], list[Section]]
    columns: Callable[[Run], dict[str, list[str]]]
    teachers_in_training: Callable[[Run], Series] = lambda run: {}
    teachers_in_validation: Callable[[Run], Series] = lambda run: {}


NO_METHOD = Method('no distillation', 'model', lambda run: True, {}, lambda run: [], lambda run: {})


def losses(run: Run, method: Method) -> Section:
    """Plot each term of the loss over time."""
    by_term: dict[str, dict] = {}
    for key, curve in run.train.items():
        if 'loss' in key:
            owner, _, term = key.rpartition('/')
            name = owner or ('sum of the terms' if term == 'loss' else method.model)
            by_term.setdefault(term, {})[name] = curve
    terms = {**TERMS, **method.terms}
    known = [term for term in terms if term in by_term]
    plots = []
    for term in [*known, *(term for term in by_term if term not in terms)]:
        unknown = Term(term, 'A term of the loss, as it enters the sum.')
        title, caption = terms.get(term, unknown)
        plots.append(Plot(title, curves_figure(by_term[term], run.unit, 'loss'), caption))
    text = f'Each term as it is summed, over the {run.unit}s of the training.{_rank_note(run)}'
    return Section('Losses', text, plots)


def accuracies(run: Run, method: Method) -> Section:
    """Plot accuracies over time, in training and in validation."""
    plots = []
    training = {}
    for key, curve in run.train.items():
        owner, _, what = key.rpartition('/')
        if what == 'top1_acc':
            training[owner or method.model] = curve
    caption = (
        'Share of the videos that are named right, in the batches that were logged: a point is one '
        f'batch, so it jumps.{_rank_note(run)}'
    )
    teachers = method.teachers_in_training(run)
    plots += _accuracy_plot(run, 'In training', 'top-1 accuracy', caption, training, teachers)
    plots += _accuracy_plot(
        run,
        'In validation',
        'top-1 accuracy',
        'Share of the validation videos that are named right.',
        _validations(run, method, 'top1'),
        method.teachers_in_validation(run),
    )
    plots += _accuracy_plot(
        run,
        'In validation, mean of the classes',
        'mean-class accuracy',
        'Every class counts the same, however many videos it has.',
        _validations(run, method, 'mean1'),
    )
    text = '' if run.val else 'The run was not validated: these are the videos it learned from.'
    return Section('Accuracy', text, plots)


def class_accuracy(run: Run) -> Section:
    """Plot the accuracy of each class, over time and at last."""
    plots = []
    over = [line for line in run.evaluations if 'hits' in line]
    if len(over) > 1:
        values = np.array([class_accuracies(line) for line in over])
        times = np.array([run.time(line) for line in over], dtype=float)
        figure = class_map_figure(times, values, run.class_names, run.unit, 'top-1 accuracy')
        caption = 'A row is a class: bright is right; grey: no videos.'
        plots.append(Plot('In each validation', figure, caption))
    evaluation = run.evaluation()
    if evaluation:
        figure = class_bars_figure(
            class_accuracies(evaluation),
            run.class_names,
            'top-1 accuracy',
            limits=(0, 1),
            colours=PLAIN_BARS,
        )
        title = f'In the last {evaluation_name(evaluation["kind"])}'
        caption = 'Share of the videos of each class that are named right.'
        plots.append(Plot(title, figure, caption))
    return Section('Accuracy of each class', '', plots)


def confusions(run: Run) -> Section:
    """List the pairs of classes that are confused most."""
    evaluation = run.evaluation()
    if not evaluation.get('wrong'):
        return Section('Confusions', '')
    names, count = run.class_names, evaluation['count']
    pairs = sorted(evaluation['wrong'], key=lambda pair: -pair[2])[:TOP]
    rows = [[names[y], names[p], f'{n} of {count[y]}'] for y, p, n in pairs]
    table = Table(['label', 'taken for', 'videos'], rows, text_columns=2)
    text = f'The pairs that are confused most ({evaluation_label(run, evaluation)}).'
    return Section('Confusions', text, tables=[table])


def gains(run: Run, baseline: Run, comparison: Comparison) -> Section:
    """Compare classes and pairs of classes with those of a baseline."""
    own, other = (f'the last {evaluation_name(kind)}' for kind in comparison.kind)
    compared = own if own == other else f'{own} against {other} of the baseline'
    text = (
        f'Against {baseline.name}, in {compared}. A class with few videos jumps by much for one '
        'video.'
    )
    if not comparison.same_videos:
        text += ' The two saw different numbers of videos, so counts of confusions differ for that.'
    gain, names = comparison.gains, run.class_names
    plot = Plot(
        'Gain of each class',
        class_bars_figure(gain, names, 'gain in top-1 accuracy [points]', percent=False),
        f'Blue classes are named right more often than by {baseline.name}, orange ones less.',
    )
    order = [int(i) for i in np.argsort(-gain, kind='stable') if np.isfinite(gain[i])]
    up = [i for i in order if gain[i] > 0][:TOP]
    down = [i for i in order[::-1] if gain[i] < 0][:TOP]

    def gain_table(title: str, classes: list[int]) -> Table:
        before = percents(comparison.baseline[classes])
        now = percents(comparison.baseline[classes] + gain[classes])
        named = [names[i] for i in classes]
        rows = zip(named, before, now, map(points, gain[classes]), strict=True)
        return Table(['class', 'baseline', 'this run', 'points'], list(rows), title)

    def change_table(title: str, changes: list[ConfusionChange]) -> Table:
        columns = ['label', 'taken for', 'before → now', 'videos of the label']
        rows = [
            [names[c.label], names[c.predicted], f'{c.before} → {c.now}', str(c.videos)]
            for c in changes[:TOP]
        ]
        return Table(columns, rows, title, text_columns=2)

    tables = [
        gain_table('Largest gains', up),
        gain_table('Largest losses', down),
        change_table('Pairs confused less', comparison.better),
        change_table('Pairs confused more', comparison.worse),
    ]
    return Section('Gain over the baseline', text, [plot], tables)


def all_classes(run: Run, method: Method, comparison: Comparison | None) -> Table | None:
    """List what is known of each class, in numbers; None where that is nothing."""
    columns: dict[str, list[str]] = {}
    evaluation = run.evaluation()
    if evaluation:
        columns['videos'] = [str(n) for n in evaluation['count']]
        columns['top-1'] = percents(class_accuracies(evaluation))
    if comparison is not None:
        columns['baseline'] = percents(comparison.baseline)
        columns['gain'] = [points(gain) for gain in comparison.gains]
    columns |= method.columns(run)
    rows = list(zip(run.class_names, *columns.values(), strict=True)) if columns else []
    return Table(['class', *columns], rows) if columns else None


def evaluation_label(run: Run, evaluation: dict) -> str:
    """Name the videos that an evaluation counts, for the text of a section."""
    videos, name = sum(evaluation['count']), evaluation_name(evaluation['kind'])
    if name == 'test':
        return f'{videos} videos of the last test'
    return f'{videos} videos of the validation after {run.unit} {run.time(evaluation):.0f}'


def evaluation_name(kind: str) -> str:
    """Name a kind of evaluation of the record."""
    return 'test' if kind == 'test' else 'validation'


def _rank_note(run: Run) -> str:
    if run.ranks == 1:
        return ''
    return f' Logged by the first of {run.ranks} processes, of its own share of each batch.'


def _validations(run: Run, method: Method, metric: str) -> Series:
    """A metric of each validation, by subset, by pathway or of the model."""
    found = {}
    for key, curve in run.val.items():
        if match := re.fullmatch(rf'(?:.*/)?(?:(\w+)_)?{metric}', key):
            of_subset = match[1] not in (None, 'fused', 'local', 'global')
            name = f'{match[1]} classes' if of_subset else match[1] or method.model
            found[name] = curve
    return found


def _accuracy_plot(
    run: Run, title: str, label: str, caption: str, series: Series, teachers: Series | None = None
) -> list[Plot]:
    """A plot, or none where nothing was logged."""
    if teachers:
        caption += ' A teacher counts on its own classes only.'
        series = {**series, **teachers}
    return [Plot(title, curves_figure(series, run.unit, label, True), caption)] if series else []
