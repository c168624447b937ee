"""A run against a baseline: gains by class, and changes of confusions by pair of classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmaction_kd.report.run import Run


class ConfusionChange(NamedTuple):
    """How many videos of ``label`` were taken for ``predicted``, before and now."""

    label: int
    predicted: int
    before: int
    now: int
    videos: int
    """Of ``label``, now."""


class Comparison(NamedTuple):
    """A run against a baseline.

    Attributes:
        kind: which predictions were compared, 'test' or 'val', of the run and of the baseline.
        gains: difference in top-1 accuracy of each class, (K,), ratio, NaN without videos.
        baseline: its accuracies, (K,).
        same_videos: whether both saw equally many videos of each class.
        better: pairs that are confused less than before, the largest change first.
        worse: pairs that are confused more, the largest change first.
    """

    kind: tuple[str, str]
    gains: np.ndarray
    baseline: np.ndarray
    same_videos: bool
    better: list[ConfusionChange]
    worse: list[ConfusionChange]


def class_accuracies(evaluation: dict) -> np.ndarray:
    """Compute the top-1 accuracy of every class.

    Args:
        evaluation: a line of the record, 'val' or 'test'.

    Returns:
        (K,), ratios, NaN for a class without videos.
    """
    count, hits = (np.array(evaluation[key], dtype=float) for key in ('count', 'hits'))
    return np.divide(hits, count, out=np.full(len(count), np.nan), where=count > 0)


def compare(run: Run, baseline: Run) -> Comparison:
    """Compare the last predictions of two runs: of their tests, else of their validations.

    Args:
        run: the run.
        baseline: the one to compare with.

    Returns:
        The differences.

    Raises:
        ValueError: one has no record of predictions, or they have other classes.
    """
    kind = next(
        (k for k in ('test', 'val') if run.evaluation([k]) and baseline.evaluation([k])), ''
    )
    kinds = [kind] if kind else ['test', 'val']
    now, before = run.evaluation(kinds), baseline.evaluation(kinds)
    for which, evaluation in ((run, now), (baseline, before)):
        if not evaluation:
            raise ValueError(
                'Run report: a comparison needs the predictions of both runs, got none in '
                f'{which.folder}; validate or test with mmaction_kd.DistillReportHook in its '
                'config, which records them.'
            )
    if now['num_classes'] != before['num_classes']:
        raise ValueError(
            'Run report: a run and its baseline must have the same classes, got '
            f'{now["num_classes"]} in {run.folder} and {before["num_classes"]} in '
            f'{baseline.folder}; compare runs on the same data.'
        )
    theirs = class_accuracies(before)
    changes = _changes(now, before)
    return Comparison(
        kind=(now['kind'], before['kind']),
        gains=class_accuracies(now) - theirs,
        baseline=theirs,
        same_videos=now['count'] == before['count'],
        better=sorted((c for c in changes if c.now < c.before), key=lambda c: c.now - c.before),
        worse=sorted((c for c in changes if c.now > c.before), key=lambda c: c.before - c.now),
    )


def _changes(now: dict, before: dict) -> list[ConfusionChange]:
    ours, theirs = ({(y, p): n for y, p, n in line['wrong']} for line in (now, before))
    return [
        ConfusionChange(y, p, theirs.get((y, p), 0), ours.get((y, p), 0), now['count'][y])
        for y, p in sorted(ours.keys() | theirs.keys())
    ]
