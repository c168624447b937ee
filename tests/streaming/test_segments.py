"""Segments against counts made by hand."""

import pytest

from mmaction_kd.streaming import Segment, SegmentMerger, segment_f1


def merged(scores, every=1.0, window=3.0, starts=None, high=0.5, low=0.3):
    """Segments of windows of two classes, given the score of the first."""
    merger = SegmentMerger(high, low, every)
    starts = starts or [place * every for place in range(len(scores))]
    for start, score in zip(starts, scores, strict=True):
        merger.add(start, start + window, [score, 0.95 - score])
    return [(*s[:3], round(s.score, 6)) for s in merger.finish()]


def test_a_segment_is_from_the_middle_between_centres_to_the_next_such_middle():
    # Centres at 1.5, 2.5, 3.5, 4.5; the first and the last window reach to their own ends.
    assert merged([0.9, 0.7, 0.1, 0.1]) == [(0, 3, 0, 0.8), (3, 6, 1, 0.85)]


def test_a_score_between_the_thresholds_goes_on_but_does_not_begin():
    assert merged([0.48, 0.6, 0.46, 0.6], low=0.4) == [(2, 6, 0, pytest.approx(0.5533, abs=1e-4))]
    assert merged([0.6, 0.46, 0.6], low=0.47) == [(0, 2, 0, 0.6), (3, 5, 0, 0.6)]


def test_a_class_ends_where_another_begins_though_it_is_above_the_low_threshold():
    assert merged([0.6, 0.4], low=0.3) == [(0, 2, 0, 0.6), (2, 4, 1, 0.55)]


def test_a_score_of_the_high_threshold_begins_and_one_of_the_low_goes_on():
    assert merged([0.5, 0.46], high=0.5, low=0.46) == [(0, 4, 0, 0.48)]


def test_nothing_goes_on_across_an_interruption():
    assert merged([0.9, 0.9, 0.9], starts=[0, 1, 10]) == [(0, 4, 0, 0.9), (10, 13, 0, 0.9)]


def test_a_missing_window_is_an_interruption_where_windows_do_not_overlap():
    assert merged([0.9, 0.9], window=1, starts=[0, 1.4]) == [(0, 2.4, 0, 0.9)]
    assert merged([0.9, 0.9], window=1, starts=[0, 2]) == [(0, 1, 0, 0.9), (2, 3, 0, 0.9)]


def test_windows_of_several_lengths_are_cut_between_their_centres():
    merger = SegmentMerger(0.5, 0.3, 1)
    merger.add(0, 3, [0.9, 0.1])
    merger.add(2, 9, [0.1, 0.9])  # centres at 1.5 and 5.5
    assert [s[:3] for s in merger.finish()] == [(0, 3.5, 0), (3.5, 9, 1)]


def test_what_comes_behind_the_end_is_a_stretch_of_its_own():
    merger = SegmentMerger(0.5, 0.3, 1)
    merger.add(0, 3, [0.9, 0.1])
    merger.finish()
    merger.add(1, 4, [0.9, 0.1])
    assert [s[:3] for s in merger.finish()] == [(0, 3, 0), (1, 4, 0)]


def test_windows_apart_from_each_other_as_planned_are_no_interruption():
    assert merged([0.9, 0.9, 0.9], every=10) == [(0, 23, 0, 0.9)]


def test_a_skipped_window_is_no_interruption_while_windows_overlap():
    assert merged([0.9, 0.9], starts=[0, 2.9]) == [(0, 5.9, 0, 0.9)]


@pytest.mark.parametrize(
    ('high', 'low', 'told'),
    [(1.2, 0.3, r'high must be in \[0, 1\], got 1.2'), (0.4, 0.5, r'low must be in \[0, 0.4\]')],
)
def test_thresholds_are_scores(high, low, told):
    with pytest.raises(ValueError, match=f'SegmentMerger: {told}'):
        SegmentMerger(high, low, 1)


def test_f1_counts_each_true_segment_once():
    true = [Segment(0, 10, 0, 1), Segment(10, 20, 1, 1), Segment(20, 30, 0, 1)]
    found = [
        Segment(0, 5, 0, 1),  # IoU 0.5: a hit
        Segment(5, 10, 0, 1),  # the same again: none
        Segment(10, 20, 0, 1),  # another class
        Segment(19, 30, 0, 1),  # 10 of 11
    ]
    assert segment_f1(found, true) == (pytest.approx(2 * 2 / 7), 2 / 4, 2 / 3)
    assert segment_f1(found, true, overlap=0.8) == (pytest.approx(2 / 7), 1 / 4, 1 / 3)
    assert segment_f1([], true) == (0, 0, 0)
    assert segment_f1([Segment(12, 14, 0, 1)], true, overlap=0.01) == (0, 0, 0)  # beside them
    assert segment_f1([Segment(10, 20, 2, 1)], true) == (0, 0, 0)  # a class that is never true
    assert segment_f1([Segment(10, 20, 1, 1)], true) == (2 / 4, 1, 1 / 3)
