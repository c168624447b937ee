"""Thresholds, subsets and Table 1 against counting, brute force and Python's own statistics."""

import statistics as independent

import numpy as np
import pytest

from mmaction_kd.optical_flow.class_motion import (
    class_means_and_stds,
    otsu,
    static_subset,
    statistics,
)


def random_means(count, seed=0):
    """Distinct and in no order."""
    return np.random.default_rng(seed).gamma(2, 0.5, count)


# --- Thresholds ---------------------------------------------------------------------------------


@pytest.mark.parametrize('classes, static', [(101, 26), (51, 13)])
def test_q1_gives_the_papers_numbers_of_classes(classes, static):
    """UCF101 and HMDB51, Table 2. With < in the place of <= UCF101 would have 25."""
    means = random_means(classes)
    threshold, found = static_subset(means, 'q1')
    assert found.sum() == static
    assert means[found].max() <= threshold < means[~found].min()


@pytest.mark.parametrize(
    'rule, classes, static', [('q2', 101, 51), ('q3', 101, 76), ('q2', 51, 26), ('q3', 51, 38)]
)
def test_the_other_quartiles_give_the_numbers_of_the_table(rule, classes, static):
    """configs/dtkd/README.md."""
    assert static_subset(random_means(classes), rule)[1].sum() == static


@pytest.mark.parametrize('rule, static', [('q1', 2), ('q2', 4), ('q3', 6)])
def test_quartiles(rule, static):
    means = np.array([7.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    threshold, found = static_subset(means, rule)
    assert threshold == dict(q1=1.75, q2=3.5, q3=5.25)[rule]
    assert sorted(means[found]) == list(range(static))


@pytest.mark.parametrize('rule', ['2', '2.0', '2.5', '2e0'])
def test_a_number_is_the_threshold(rule):
    threshold, found = static_subset(np.array([3.0, 2.0, 1.0]), rule)
    assert threshold == float(rule) and found.tolist() == [False, True, True]


def test_rank_takes_the_lowest():
    means = random_means(101)
    threshold, found = static_subset(means, 'rank:26')
    assert sorted(means[found]) == sorted(means)[:26] and threshold == sorted(means)[25]


def test_rank_counts_equal_means_in_the_order_of_the_labels():
    threshold, found = static_subset(np.array([2.0, 1.0, 1.0, 1.0]), 'rank:2')
    assert threshold == 1 and found.tolist() == [False, True, True, False]


@pytest.mark.parametrize('seed', range(20))
def test_otsu_is_the_best_of_all_thresholds(seed):
    """Least variance within the groups, which is the largest between them."""
    rng = np.random.default_rng(seed)
    means = np.concatenate([rng.normal(0, 1, rng.integers(1, 9)), rng.normal(4, 2, 7)]).round(1)

    def within(threshold):
        groups = means[means <= threshold], means[means > threshold]
        return sum(len(group) * group.var() for group in groups)

    found = otsu(means)
    thresholds = sorted(set(means))[:-1]
    assert found in thresholds
    assert within(found) == pytest.approx(min(map(within, thresholds)))
    assert static_subset(means, 'otsu')[0] == found


def test_otsu_does_not_part_equal_values():
    assert otsu(np.array([1.0, 1.0, 1.0, 1.0, 1.1])) == 1.0


@pytest.mark.parametrize('rule', ['q4', 'rank', 'rank:0', 'rank:3', 'rank:-1', 'nan', 'inf', ''])
def test_no_such_rule(rule):
    words = rf'the threshold must be one of q1, .*rank:N with 0 < N < K.*got \'{rule}\' for K = 3'
    with pytest.raises(ValueError, match=words):
        static_subset(np.array([1.0, 2.0, 3.0]), rule)


@pytest.mark.parametrize('rule, static', [('0.5', 0), ('3', 3)])
def test_a_subset_without_classes(rule, static):
    words = (
        rf'both subsets must have classes, got {static} static ones of 3, whose means are 1 to 3'
    )
    with pytest.raises(ValueError, match=words):
        static_subset(np.array([1.0, 2.0, 3.0]), rule)


def test_classes_that_all_move_alike():
    for rule in ('q1', 'otsu'):
        with pytest.raises(ValueError, match='got 3 static ones of 3'):
            static_subset(np.ones(3), rule)


# --- Table 1 ------------------------------------------------------------------------------------


def test_statistics():
    means = random_means(51)
    quartiles = independent.quantiles(means.tolist(), n=4, method='inclusive')
    assert statistics(means) == pytest.approx(
        dict(
            q1=quartiles[0],
            mean=independent.fmean(means),
            std=independent.pstdev(means.tolist()),
            iqr=quartiles[2] - quartiles[0],
        )
    )


def test_the_subsets_pooled_are_the_whole():
    """As the printed numbers of Table 1 are: mean, and with the population STD the variance."""
    means = random_means(101)
    _, static = static_subset(means, 'q1')
    parts = [(own.mean(), statistics(means[own])) for own in (static, ~static)]
    whole = statistics(means)
    mean = sum(share * part['mean'] for share, part in parts)
    variance = sum(share * (part['std'] ** 2 + (part['mean'] - mean) ** 2) for share, part in parts)
    assert (mean, variance**0.5) == pytest.approx((whole['mean'], whole['std']))


def test_a_class_counts_its_videos_alike():
    means, stds = class_means_and_stds([[1.0, 3.0], [2.0], [0.0, 0.0, 3.0]])
    assert means.tolist() == [2, 2, 1]
    assert stds.tolist() == pytest.approx([1, 0, 2**0.5])
