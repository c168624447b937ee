"""A stream in one picture: what was seen, which segments were found, and on which scores."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from mmaction_kd.report.figures.palette import KINDS, ROLES
from mmaction_kd.streaming.segments import Segment
from mmaction_kd.streaming.stream_recognizer import Gap

WIDTH = 12  # inches
THUMBNAILS = 12  # of the picture; up to twice as many are kept
THUMBNAIL_HEIGHT = 72  # pixels
MOST_COLUMNS = 1024  # of the map of scores, up to twice as many are kept
MOST_CLASSES = 10  # rows of the map
TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
"""Seconds between the marks of the time axis."""


@dataclass
class _Column:
    """One window, or several neighbours of a long stream."""

    start: float
    end: float
    scores: np.ndarray
    """Sum, (K,)."""
    weight: float
    """Sum of the local pathway's weights."""
    windows: int = 1

    def __add__(self, later: _Column) -> _Column:
        return _Column(
            self.start,
            later.end,
            self.scores + later.scores,
            self.weight + later.weight,
            self.windows + later.windows,
        )


class Timeline:
    """Collect what the picture needs; memory does not grow with the length of the stream.

    Args:
        name: of the source.
        fps: frames a second.
    """

    def __init__(self, name: str, fps: float) -> None:
        self.name = name
        self.fps = fps
        self._now = 0.0
        self._every = 1.0  # seconds between thumbnails
        self._thumbnails: list[tuple[float, np.ndarray]] = []
        self._columns: list[_Column] = []
        self._together = 1  # windows in a column
        self._windows = 0
        self._two_pathways = False

    def add_frame(self, frame: np.ndarray | Gap) -> None:
        """Add a frame, (H, W, 3), uint8, RGB, or an interruption."""
        if isinstance(frame, Gap):
            self._now += frame.seconds
            return
        if not self._thumbnails or self._now >= self._thumbnails[-1][0] + self._every:
            height, width = frame.shape[:2]
            size = (max(1, round(width * THUMBNAIL_HEIGHT / height)), THUMBNAIL_HEIGHT)
            small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            self._thumbnails.append((self._now, small))
            if len(self._thumbnails) > 2 * THUMBNAILS:
                self._thumbnails = self._thumbnails[::2]
                self._every *= 2
        self._now += 1 / self.fps

    def add(self, start: float, end: float, scores: np.ndarray, weight: float | None) -> None:
        """Take a window's answer.

        Args:
            start: seconds.
            end: seconds.
            scores: (K,).
            weight: of the local pathway; None of a model that has none.
        """
        self._two_pathways = weight is not None
        self._windows += 1
        new = _Column(start, end, scores.astype(np.float64), weight or 0.0)
        if self._columns and self._columns[-1].windows < self._together:
            self._columns[-1] += new
            return
        self._columns.append(new)
        if len(self._columns) > 2 * MOST_COLUMNS:
            pairs = [self._columns[place : place + 2] for place in range(0, 2 * MOST_COLUMNS, 2)]
            self._columns = [one + other for one, other in pairs] + self._columns[-1:]
            self._together *= 2

    def png(self, segments: Sequence[Segment], class_name: Callable[[int], str]) -> bytes:
        """Draw the picture.

        Args:
            segments: that were found.
            class_name: names a class.

        Returns:
            The content of a PNG file.
        """
        end = max(self._now, 1 / self.fps)
        shown = self._shown_classes()
        heights = [0.9, 0.8, max(0.8, 0.26 * len(shown))] + [0.9] * self._two_pathways
        figure = Figure(figsize=(WIDTH, sum(heights) + 1.3), dpi=100, layout='constrained')
        panels = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True)
        colours = {label: KINDS[row % len(KINDS)] for row, label in enumerate(shown)}
        self._draw_thumbnails(panels[0], end)
        _draw_segments(panels[1], segments, colours, class_name, end)
        self._draw_scores(figure, panels[2], colours, class_name)
        if self._two_pathways:
            self._draw_weights(panels[3])
        panels[-1].set_xlim(0, end)
        panels[-1].xaxis.set_major_locator(_round_times(end))
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x)))
        panels[-1].set_xlabel('time (h:mm:ss)' if end >= 3600 else 'time (m:ss)')
        figure.suptitle(
            f'{self.name}: {clock(end)}, windows: {self._windows}, segments: {len(segments)}',
            parse_math=False,
        )
        stream = io.BytesIO()
        figure.savefig(stream, format='png')
        return stream.getvalue()

    def _shown_classes(self) -> list[int]:
        """Return the classes with the highest scores, in the order of their numbers."""
        if not self._columns:
            return []
        means = np.stack([column.scores / column.windows for column in self._columns])  # (P, K)
        best = np.argsort(-means.max(0), kind='stable')[:MOST_CLASSES].tolist()
        return sorted(best)

    def _draw_thumbnails(self, axes: Axes, end: float) -> None:
        axes.set_ylabel('frames', rotation=0, ha='right', va='center')
        axes.set(yticks=[], ylim=(0, 1))
        axes.spines[:].set_visible(False)
        axes.tick_params(bottom=False)
        if not self._thumbnails:
            return
        times = np.array([time for time, _ in self._thumbnails])
        width = end / THUMBNAILS
        for place in range(THUMBNAILS):
            left = place * width
            index = int(np.abs(times - (left + width / 2)).argmin())
            inset = axes.inset_axes((left, 0, 0.96 * width, 1), transform=axes.transData)
            inset.imshow(self._thumbnails[index][1])
            inset.set_axis_off()

    def _draw_scores(
        self,
        figure: Figure,
        axes: Axes,
        colours: dict[int, str],
        class_name: Callable[[int], str],
    ) -> None:
        """Draw a map of scores; the names of its rows are the legend of the segments."""
        shown = list(colours)
        axes.set_ylabel('scores', rotation=0, ha='right', va='center')
        if not self._columns:
            return
        axes.set_yticks(range(len(shown)), [_short(class_name(label)) for label in shown])
        for tick, colour in zip(axes.get_yticklabels(), colours.values(), strict=True):
            tick.set_parse_math(False)
            tick.set_bbox(dict(facecolor=colour, edgecolor='none', pad=1.5))
            tick.set_color(_ink(colour))
        axes.set_facecolor('0.85')  # not seen
        for run in self._runs():
            edges = _edges(run)
            scores = np.stack([column.scores[shown] / column.windows for column in run], 1)
            mesh = axes.pcolormesh(
                edges, np.arange(len(shown) + 1) - 0.5, scores, vmin=0, vmax=1, cmap='viridis'
            )
        axes.invert_yaxis()
        figure.colorbar(mesh, ax=axes, pad=0.01, aspect=12, ticks=[0, 0.5, 1])

    def _draw_weights(self, axes: Axes) -> None:
        axes.set_ylabel('fusion\nweights', rotation=0, ha='right', va='center')
        axes.set(ylim=(0, 1), yticks=[0, 0.5, 1])
        for run in self._runs():
            edges = _edges(run)
            local = np.array([column.weight / column.windows for column in run])
            steps = np.append(local, local[-1])
            axes.fill_between(edges, 0, steps, step='post', color=ROLES['local'], lw=0)
            axes.fill_between(edges, steps, 1, step='post', color=ROLES['global'], lw=0)
        style: dict = dict(va='center', ha='left', color='white', fontsize='small', weight='bold')
        axes.text(0.005, 0.15, 'local', transform=axes.transAxes, **style)
        axes.text(0.005, 0.85, 'global', transform=axes.transAxes, **style)

    def _runs(self) -> list[list[_Column]]:
        """Return the columns, split where the stream was interrupted."""
        runs: list[list[_Column]] = []
        for column in self._columns:
            if runs and column.start <= runs[-1][-1].end:
                runs[-1].append(column)
            else:
                runs.append([column])
        return runs


def clock(seconds: float) -> str:
    """Format seconds as m:ss, or h:mm:ss from an hour on.

    Example:
        >>> clock(61), clock(3661)
        ('1:01', '1:01:01')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'


def _edges(run: Sequence[_Column]) -> np.ndarray:
    """Return the borders of columns: the midpoints of their centres, and the two ends."""
    centres = np.array([(column.start + column.end) / 2 for column in run])
    return np.concatenate([[run[0].start], (centres[1:] + centres[:-1]) / 2, [run[-1].end]])


def _round_times(end: float) -> MultipleLocator:
    """Place the marks at round seconds, minutes or hours: at most 11 within ten days."""
    return MultipleLocator(next((step for step in TICKS if end <= 10 * step), TICKS[-1]))


def _ink(colour: str) -> str:
    """Return black or white, whichever is legible on a colour."""
    return 'black' if np.dot(to_rgb(colour), (0.3, 0.59, 0.11)) > 0.55 else 'white'


def _short(name: str, most: int = 24) -> str:
    return name if len(name) <= most else f'{name[: most - 1]}…'


def _draw_segments(
    axes: Axes,
    segments: Sequence[Segment],
    colours: dict[int, str],
    class_name: Callable[[int], str],
    end: float,
) -> None:
    """Draw bars in the classes' colours, with their names where there is room."""
    axes.set_ylabel('segments', rotation=0, ha='right', va='center')
    axes.set(yticks=[], ylim=(0, 1))
    axes.spines[['top', 'right', 'left']].set_visible(False)
    for segment in segments:
        length = segment.end - segment.start
        colour = colours.get(segment.label, '#999999')
        axes.broken_barh([(segment.start, length)], (0, 1), color=colour, lw=0)
        name = _short(class_name(segment.label))
        if length / end * WIDTH * 11 > len(name):  # about 11 letters an inch
            middle = segment.start + length / 2
            style: dict = dict(ha='center', va='center', fontsize='small', color=_ink(colour))
            axes.text(middle, 0.5, name, parse_math=False, clip_on=True, **style)
