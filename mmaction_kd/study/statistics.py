"""Mean and spread of runs, and whether two arms differ.

Source: Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003;
Bouckaert and Frank, "Evaluating the Replicability of Significance Tests for Comparing Learning
Algorithms", PAKDD 2004.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Difference(NamedTuple):
    """Of two arms, paired by fold and seed."""

    mean: float
    low: float
    high: float
    """Ends of the confidence interval; NaN where there are less than two pairs."""
    pairs: int

    @property
    def verdict(self) -> str:
        """'better', 'worse', 'none' (0 is inside the interval), or '' with less than two pairs."""
        if math.isnan(self.low):
            return ''
        if self.low > 0:
            return 'better'
        return 'worse' if self.high < 0 else 'none'


def paired_difference(
    differences: Sequence[float], folds: int = 1, confidence: float = 0.95
) -> Difference:
    """Compute the mean difference over pairs of runs, with its confidence interval.

    With J folds and n = J · seeds pairs, ``d̄ ± t_{n−1} s sqrt(1/n + n_test/n_train)``: the training
    sets of two folds overlap, and the seeds of one fold share all their videos, so that the plain
    interval, without the second term, is far too narrow (the corrected resampled t-test). In
    cross-validation ``n_test/n_train = 1/(J−1)``. One fold: the plain interval, which then speaks
    of other seeds on these very videos, not of other videos.

    Args:
        differences: of each pair, arm minus baseline.
        folds: J, distinct folds among them.
        confidence: of the interval, in (0, 1).

    Returns:
        The difference.

    Example:
        >>> paired_difference([1.0, 2.0, 3.0]).mean
        2.0
    """
    values = np.asarray(differences, dtype=float)
    count = len(values)
    if count < 2:
        mean = float(values.mean()) if count else math.nan
        return Difference(mean, math.nan, math.nan, count)
    overlap = 1 / (folds - 1) if folds > 1 else 0.0
    reach = stats.t.ppf((1 + confidence) / 2, count - 1)
    reach *= values.std(ddof=1) * math.sqrt(1 / count + overlap)
    mean = float(values.mean())
    return Difference(mean, mean - float(reach), mean + float(reach), count)


def spread(values: Sequence[float]) -> float:
    """Compute the sample standard deviation; NaN for fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
