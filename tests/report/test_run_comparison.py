"""Gains and confusions of two runs whose predictions are known."""

import numpy as np
import pytest
from made_up_run import evaluation, write_run

from mmaction_kd.report.run import load_run
from mmaction_kd.report.run_comparison import class_accuracies, compare

BEFORE = [[6, 4, 0], [0, 10, 0], [1, 2, 7]]
NOW = [[9, 1, 0], [2, 7, 1], [1, 2, 7]]


def runs(tmp_path, now, before):
    return [load_run(write_run(tmp_path / n, ls)) for n, ls in (('now', now), ('before', before))]


def test_gains_and_pairs(tmp_path):
    found = compare(*runs(tmp_path, [evaluation(NOW)], [evaluation(BEFORE)]))
    assert found.gains == pytest.approx([0.3, -0.3, 0])
    assert found.baseline == pytest.approx([0.6, 1, 0.7])
    assert [tuple(change) for change in found.better] == [(0, 1, 4, 1, 10)]
    assert [tuple(change) for change in found.worse] == [(1, 0, 0, 2, 10), (1, 2, 0, 1, 10)]
    assert found.same_videos and found.kind == ('test', 'test')


def test_tests_are_compared_with_tests(tmp_path):
    """And the last validation with the last, where one was not tested."""
    older, newer = (evaluation(matrix, 'val', epoch=1, iter=1) for matrix in (BEFORE, NOW))
    both = [evaluation(BEFORE), older]
    assert compare(*runs(tmp_path / 'a', both, [newer, evaluation(NOW)])).kind == ('test', 'test')
    mixed = compare(*runs(tmp_path / 'b', [newer, evaluation(BEFORE)], [newer, older]))
    assert mixed.kind == ('val', 'val') and mixed.gains == pytest.approx([0.3, -0.3, 0])
    other = compare(*runs(tmp_path / 'c', [evaluation(NOW)], [older]))
    assert other.kind == ('test', 'val')


def test_the_last_test_counts(tmp_path):
    lines = [evaluation(NOW, when='2'), evaluation(BEFORE, when='1')]
    assert load_run(write_run(tmp_path, lines)).test['hits'] == [9, 7, 7]


def test_a_class_without_videos_has_no_accuracy(tmp_path):
    without = evaluation([[0, 0], [1, 3]])
    assert np.isnan(class_accuracies(without)[0])
    found = compare(*runs(tmp_path, [without], [evaluation([[1, 1], [0, 4]])]))
    assert np.isnan(found.gains[0]) and found.gains[1] == -0.25 and not found.same_videos


def test_runs_that_have_nothing_in_common_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r'needs the predictions of both runs, got none in .*before'
    ):
        compare(*runs(tmp_path / 'a', [evaluation(NOW)], []))
    with pytest.raises(
        ValueError, match=r'must have the same classes, got 3 in .* and 2 in .*before'
    ):
        compare(*runs(tmp_path / 'b', [evaluation(NOW)], [evaluation([[1, 0], [0, 1]])]))
