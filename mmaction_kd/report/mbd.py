"""Sections of MBD: which pathway teaches, and how the two are fused."""

from __future__ import annotations

import numpy as np

from mmaction_kd.observations import (
    DOMINANCE,
    DOMINANCE_SHARE,
    LOSS_FINAL,
    LOSS_INTERMEDIATE,
    TEACHER_WRONG_SHARE,
)
from mmaction_kd.report.common import Method, Term, evaluation_label
from mmaction_kd.report.figures.palette import ROLES
from mmaction_kd.report.figures.run_figures import (
    DIVERGING,
    class_bars_figure,
    class_map_figure,
    curves_figure,
    weight_histogram_figure,
)
from mmaction_kd.report.run import Run
from mmaction_kd.report.section import Plot, Section, floats, percents, ratios

PATHWAYS = ('local', 'global')
TERMS = {
    LOSS_FINAL: Term(
        'Distillation at the final layer',
        'The loss of each pathway, as a student, for differing from the scores of the more '
        'confident one; weight α and T² are included.',
    ),
    LOSS_INTERMEDIATE: Term(
        'Distillation at the intermediate layer',
        'The loss of each pathway, as a student, for differing from the features of the more '
        'confident one; weight β is included.',
    ),
}


def detect(run: Run) -> bool:
    """Whether a run trained or tested MBD."""
    return (
        bool(_of_pathways(run, DOMINANCE_SHARE))
        or any(DOMINANCE in line['sources'] for line in run.epochs)
        or bool(run.evaluation().get('weights'))
    )


def sections(run: Run) -> list[Section]:
    """Show who teaches, and the weight of each pathway in the fused scores."""
    return [_dominance(run), _fusion(run)]


def columns(run: Run) -> dict[str, list[str]]:
    """Return fusion weights and the share that the local pathway teaches, for each class."""
    weights = run.evaluation().get('weights', {})
    found = {f'fusion weight of {name}': percents(w['mean']) for name, w in weights.items()}
    dominance = run.over_time(DOMINANCE)
    if len(dominance.times):
        last = ratios(dominance.sums['local'], dominance.counts)[-1]
        found['taught by local'] = percents(last)
    return found


METHOD = Method(
    'MBD: per video the more confident of two pathways teaches the other; at test their scores are '
    'fused by the confidence of each',
    'fused',
    detect,
    TERMS,
    sections,
    columns,
)


def _dominance(run: Run) -> Section:
    times, counts, sums = run.over_time(DOMINANCE)
    if len(times):
        series = {name: (times, observed.sum(1) / counts.sum(1)) for name, observed in sums.items()}
    else:
        series = _of_pathways(run, DOMINANCE_SHARE)
    plots = []
    if series:
        plots.append(
            Plot(
                'Who teaches',
                curves_figure(series, run.unit, 'share of the videos', True),
                'The share of the training videos on which each pathway is the more confident one. '
                'A line that stays at 100 % means that one pathway teaches and the other only '
                'learns.',
            )
        )
    wrong = {f'{h} learns': x for h, x in _of_pathways(run, TEACHER_WRONG_SHARE).items()}
    if wrong:
        plots.append(
            Plot(
                'Taught something wrong',
                curves_figure(wrong, run.unit, 'share of the taught', True),
                'Of the videos that are taught to a pathway the share whose teacher names another '
                'class than the label: confident is not right. A point is one logged batch.',
            )
        )
    if len(times):
        local = ratios(sums['local'], counts)
        label = 'share of the videos that local teaches'
        plots.append(
            Plot(
                'Who teaches, by class',
                class_map_figure(times, local, run.class_names, run.unit, label, DIVERGING),
                'A row is a class: blue where the local pathway teaches (short-term motion), '
                'orange where the global one does (the action over time).',
            )
        )
    return Section(
        'Dominance: which pathway teaches',
        'Per training video the pathway that is more confident teaches the other one.',
        plots,
    )


def _fusion(run: Run) -> Section:
    evaluation = run.evaluation()
    weights = evaluation.get('weights', {})
    if not weights:
        return Section('Fusion weights', '')
    name = 'local' if 'local' in weights else min(weights)
    others = ', '.join(sorted(set(weights) - {name}))
    means = floats(weights[name]['mean'])
    reach = 1.1 * np.nanmax(np.abs(means - 0.5), initial=0.02)
    plots = [
        Plot(
            'Over the videos',
            weight_histogram_figure(
                weights[name]['bins'], _mean_weight(evaluation, name), f'weight of {name}'
            ),
            f'How many videos have which weight; right of 0.5 {name} counts more than {others}.',
        ),
        Plot(
            'By class',
            class_bars_figure(
                means,
                run.class_names,
                f'mean weight of {name}',
                0.5,
                (0.5 - reach, 0.5 + reach),
                (ROLES['global'], ROLES['local']),
            ),
            f'Blue classes lean on {name}, orange ones on {others}; bars start at equal weights.',
        ),
    ]
    over = [line for line in run.evaluations if name in line.get('weights', {})]
    if len(over) > 1:
        times = np.array([run.time(line) for line in over])
        series = {
            h: (times, np.array([_mean_weight(line, h) for line in over])) for h in sorted(weights)
        }
        plots.append(
            Plot(
                'In each validation',
                curves_figure(series, run.unit, 'mean weight', True, from_zero=False),
                'The mean over the validation videos; the two sum to 100 %.',
            )
        )
    label = evaluation_label(run, evaluation)
    return Section(
        'Fusion weights', f'The weight of each pathway in the fused score ({label}).', plots
    )


def _of_pathways(run: Run, term: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {h: run.train[f'{h}/{term}'] for h in PATHWAYS if f'{h}/{term}' in run.train}


def _mean_weight(evaluation: dict, name: str) -> float:
    means, count = floats(evaluation['weights'][name]['mean']), np.array(evaluation['count'])
    return float(np.nansum(means * count) / max(1, count.sum()))
