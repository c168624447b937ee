"""A new figure, and a figure as an image file or within a page."""

from __future__ import annotations

import base64
import io
import re

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SMALL_SVG = 40_000  # bytes: a PNG is seldom smaller, so none is drawn


def new_figure(size: tuple[float, float], xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    """Create a figure with one plot, without top and right spines.

    Args:
        size: width and height, inches.
        xlabel: of the horizontal axis.
        ylabel: of the vertical axis.

    Returns:
        The figure and its axes.
    """
    figure = Figure(figsize=size, dpi=150, layout='constrained')
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    axes.spines[['top', 'right']].set_visible(False)
    return figure, axes


def png(figure: Figure) -> bytes:
    """Encode a figure as PNG."""
    return _saved(figure, 'png')


def data_uri(figure: Figure) -> str:
    """Encode a figure as SVG or PNG, whichever is smaller.

    As an image and not as inline SVG: whatever a name in it holds, a browser runs nothing of it.

    Args:
        figure: any.

    Returns:
        A ``data:`` address.
    """
    svg = _saved(figure, 'svg')
    svg = re.sub(rb'<metadata>.*?</metadata>|<!DOCTYPE[^>]*>', b'', svg, flags=re.S)
    kind, content = 'svg+xml', svg
    if len(svg) > SMALL_SVG:
        image = png(figure)
        if len(image) < len(svg):
            kind, content = 'png', image
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def _saved(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    with rc_context({'svg.hashsalt': 'mmaction_kd', 'savefig.bbox': None, 'savefig.dpi': 'figure'}):
        figure.savefig(stream, format=kind, metadata={'Date': None} if kind == 'svg' else None)
    return stream.getvalue()
