"""Merge windows into segments: which class from when to when, without flicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mmaction_kd.options import check_range


class Segment(NamedTuple):
    """A stretch of a video with one class."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    label: int
    score: float
    """Mean over its windows."""


class SegmentMerger:
    """Merge the answers of overlapping windows, by hysteresis.

    A segment starts where a class has the highest score and that is at least ``high``. It ends when
    the score drops below ``low``, or when another class starts. A window covers the time around its
    centre, up to the midpoints to its neighbours' centres; the first and the last window also cover
    the time before and after. Segments end where the stream was interrupted.

    Args:
        high: score, in [0, 1].
        low: score, in [0, ``high``].
        every: seconds from a window to the next. Windows that neither overlap nor follow each other
            by this are taken to have an interruption between them.

    Raises:
        ValueError: a threshold is out of range.
    """

    def __init__(self, high: float, low: float, every: float) -> None:
        check_range('SegmentMerger', 'high', high, 0, 1)
        check_range('SegmentMerger', 'low', low, 0, high)
        self.high, self.low, self.every = high, low, every
        self.segments: list[Segment] = []
        self._sum, self._windows = 0.0, 0  # of the scores of the open segment
        self._label: int | None = None
        self._began = 0.0
        self._last: tuple[float, float] | None = None  # the last window

    def add(self, start: float, end: float, scores: Sequence[float]) -> None:
        """Take the next window.

        Args:
            start: seconds.
            end: seconds.
            scores: of all classes, (K,).
        """
        cut = start
        if self._last is not None:
            last_start, last_end = self._last
            if start > max(last_end, last_start + 1.5 * self.every):
                self.finish()
            else:
                cut = (last_start + last_end + start + end) / 4
        self._last = start, end
        best = max(range(len(scores)), key=scores.__getitem__)
        label = self._label
        if label is not None and scores[label] < self.low:
            label = None
        if scores[best] >= self.high:
            label = best
        if label != self._label:
            self._close(cut)
            self._label, self._began = label, cut
        if label is not None:
            self._sum += scores[label]
            self._windows += 1

    def finish(self) -> list[Segment]:
        """End the stream, or the stretch before an interruption.

        Returns:
            All segments.
        """
        if self._last is not None:
            self._close(self._last[1])
        self._label, self._last = None, None
        return self.segments

    def _close(self, end: float) -> None:
        if self._label is not None:
            mean = self._sum / self._windows
            self.segments.append(Segment(self._began, end, self._label, mean))
        self._sum, self._windows = 0.0, 0


def segment_f1(
    found: Sequence[Segment], true: Sequence[Segment], overlap: float = 0.5
) -> tuple[float, float, float]:
    """Compute the F1 of segments: each true one matches at most one found one of its class.

    Args:
        found: segments.
        true: the annotated segments.
        overlap: intersection over union from which on two match.

    Returns:
        F1, precision and recall, ratios in [0, 1].

    Source: the F1@k of temporal action segmentation: Lea et al., Temporal Convolutional Networks
    for Action Segmentation and Detection, CVPR 2017, section 4.
    """
    free = list(true)
    hits = 0
    for segment in found:
        ious = [(_iou(segment, other), other) for other in free if other.label == segment.label]
        iou, other = max(ious, default=(0.0, segment), key=lambda pair: pair[0])
        if iou >= overlap:
            free.remove(other)
            hits += 1
    precision, recall = hits / max(1, len(found)), hits / max(1, len(true))
    return 2 * hits / max(1, len(found) + len(true)), precision, recall


def _iou(one: Segment, other: Segment) -> float:
    """Return intersection over union; below 0 where there is a gap between them."""
    common = min(one.end, other.end) - max(one.start, other.start)
    return common / (one.end - one.start + other.end - other.start - common)
