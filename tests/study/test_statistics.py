import math

import numpy as np
import pytest
from scipy import stats

from mmaction_kd.study.statistics import paired_difference, spread


def test_on_one_fold_it_is_students_interval():
    values = np.random.default_rng(0).normal(0.3, 1, 7)
    found = paired_difference(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(values.mean())


def test_on_three_folds_the_variance_has_the_share_of_the_test_videos_added():
    values = np.random.default_rng(1).normal(0.3, 1, 9)
    found = paired_difference(values, folds=3)
    variance = values.var(ddof=1) * (1 / 9 + 1 / 2)  # a third tests, two thirds train
    assert found.high - found.mean == pytest.approx(2.306004135 * math.sqrt(variance))


def test_the_corrected_interval_is_never_fooled_by_more_seeds_alone():
    """The same differences of folds, repeated by seeds: no more certain of other videos."""
    folds = np.array([1.0, -1.0, 3.0])
    widths = [
        (found.high - found.low) / np.std(np.tile(folds, seeds), ddof=1)
        for seeds in (3, 30)
        for found in [paired_difference(np.tile(folds, seeds), folds=3)]
    ]
    assert min(widths) > 2 * 1.96 * math.sqrt(1 / 2)


@pytest.mark.parametrize(
    ('values', 'verdict'),
    [([1, 1.1, 0.9], 'better'), ([-1, -1.1, -0.9], 'worse'), ([-1, 1, 0.1], 'none'), ([5], '')],
)
def test_verdict(values, verdict):
    assert paired_difference(values).verdict == verdict


def test_one_pair_has_a_difference_and_no_interval():
    found = paired_difference([0.5])
    assert found.mean == 0.5
    assert math.isnan(found.low)
    assert math.isnan(spread([1.0]))
    assert math.isnan(paired_difference([]).mean)
