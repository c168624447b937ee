"""What a page is made of: sections with plots and tables, and how numbers are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure


class Plot(NamedTuple):
    """A figure, with a caption that explains it."""

    title: str
    figure: Figure
    caption: str


class Table(NamedTuple):
    """Rows of text.

    Attributes:
        columns: their heads; empty for a table without.
        rows: cells of each row.
        title: above the table, if any.
        text_columns: how many columns hold text; numbers, which are aligned right, follow.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ''
    text_columns: int = 1


class Section(NamedTuple):
    """Part of a page; left out where it has neither plots nor tables."""

    title: str
    text: str
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()


def number(value: float) -> str:
    """Format a metric or a loss."""
    return f'{value:.4f}' if abs(value) < 100 else f'{value:.1f}'


def percents(values: Iterable[float | None]) -> list[str]:
    """Format ratios in per cent; None and NaN as a dash."""
    return [f'{100 * value:.1f} %' if np.isfinite(value) else '–' for value in floats(values)]


def points(gain: float) -> str:
    """Format a difference of ratios in percentage points."""
    return f'{100 * gain:+.1f}' if np.isfinite(gain) else '–'


def floats(values: Iterable[float | None]) -> np.ndarray:
    """Convert values to floats, None to NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def ratios(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Divide sums by counts of the same shape; NaN where the count is 0."""
    return np.divide(sums, counts, out=np.full(np.shape(sums), np.nan), where=counts > 0)
