"""A figure within a page: an image that carries its own data."""

from __future__ import annotations

import base64
import io
import re

from matplotlib import rc_context
from matplotlib.figure import Figure

SMALL_SVG = 40_000  # bytes: a PNG is seldom smaller, so none is drawn


def data_uri(figure: Figure) -> str:
    """The figure as SVG or as PNG, whichever is smaller.

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
        png = _saved(figure, 'png')
        if len(png) < len(svg):
            kind, content = 'png', png
    return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def _saved(figure: Figure, kind: str) -> bytes:
    stream = io.BytesIO()
    with rc_context({'svg.hashsalt': 'mmaction_kd', 'savefig.bbox': None}):
        figure.savefig(stream, format=kind, metadata={'Date': None} if kind == 'svg' else None)
    return stream.getvalue()
