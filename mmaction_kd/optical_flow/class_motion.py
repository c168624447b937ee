"""From the motion of videos to that of classes, and to a static and a dynamic subset of them.

Source: DTKD, section 3.1 and Table 1: a class is static if its mean flow magnitude is at or below
the first quartile Q1 of all class means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

QUARTILES = dict(q1=0.25, q2=0.5, q3=0.75)
RULES = 'q1, q2, q3, otsu, rank:N with 0 < N < K, or a number in pixels per frame'


def class_means_and_stds(
    motion_of_class: Sequence[Sequence[float]],
) -> tuple[np.ndarray, np.ndarray]:
    """``μ_k`` and ``σ_k``: mean and population STD over the videos of each class.

    Args:
        motion_of_class: of each of the K classes the motion of its videos, at least one.

    Returns:
        Means (K,) and STDs (K,), in the unit of motion.
    """
    means = np.array([np.mean(motion) for motion in motion_of_class])
    stds = np.array([np.std(motion) for motion in motion_of_class])
    return means, stds


def otsu(means: np.ndarray) -> float:
    """The threshold that parts values best: largest variance between the two groups.

    ``max_θ w₀ w₁ (μ₀ − μ₁)²``, w the groups' sizes and μ their means, exact over all θ. Between
    equal values it has no maximum, so they stay together.

    Source: Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9, 1979.

    Args:
        means: (K,), K > 1.

    Returns:
        The largest value of the lower group.
    """
    ordered = np.sort(means)
    count = np.arange(1, len(ordered))  # size of the lower group, (K − 1,)
    sums = np.cumsum(ordered)
    lower, upper = sums[:-1] / count, (sums[-1] - sums[:-1]) / count[::-1]
    between = count * count[::-1] * (lower - upper) ** 2
    return float(ordered[between.argmax()])


def static_subset(means: np.ndarray, rule: str) -> tuple[float, np.ndarray]:
    """The classes with ``μ_k <= θ``.

    At θ too: with the K = 101 of UCF101 the linear Q1 is the 26th smallest mean itself, and the
    paper counts 26 static classes.

    Args:
        means: ``μ``, (K,).
        rule: for θ. ``q1``, ``q2``, ``q3``: linear quartile of the means. ``otsu``: see
            :func:`otsu`. A number: θ itself, pixels per frame. ``rank:N``: the N classes with the
            lowest means, equal ones in the order of the labels; θ is the mean of the N-th.

    Returns:
        θ, in the unit of the means, and whether each class is static, (K,), bool.

    Raises:
        ValueError: there is no such rule, or it leaves a subset without classes.
    """
    kind, _, argument = rule.partition(':')
    if kind == 'rank' and argument.isdecimal() and 0 < int(argument) < len(means):
        order = means.argsort(kind='stable')
        return float(means[order[int(argument) - 1]]), order.argsort() < int(argument)
    if rule in QUARTILES:
        threshold = float(np.quantile(means, QUARTILES[rule]))
    elif rule == 'otsu':
        threshold = otsu(means)
    else:
        threshold = _number(rule, len(means))
    static = means <= threshold
    if static.all() or not static.any():
        raise ValueError(
            'static_subset: both subsets must have classes, got '
            f'{static.sum()} static ones of {len(means)}, whose means are {means.min():.6g} to '
            f'{means.max():.6g}, at the threshold {threshold:.6g} ({rule}); take another of '
            f'{RULES}.'
        )
    return threshold, static


def _number(rule: str, num_classes: int) -> float:
    try:
        threshold = float(rule)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise ValueError(
            f'static_subset: the threshold must be one of {RULES}, got {rule!r} for K = '
            f'{num_classes}.'
        )
    return threshold


def statistics(means: np.ndarray) -> dict[str, float]:
    """A row of the paper's Table 1.

    Args:
        means: of the classes of a subset, (K,).

    Returns:
        First quartile, mean, population STD, and distance of the quartiles, in the unit of means.
    """
    q1, q3 = np.quantile(means, [0.25, 0.75])
    return dict(q1=float(q1), mean=float(means.mean()), std=float(means.std()), iqr=float(q3 - q1))
