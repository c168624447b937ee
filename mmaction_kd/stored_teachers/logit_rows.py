"""One teacher's logits of one view as a row of a few bytes, and back."""

from __future__ import annotations

import zlib

import numpy as np

LARGEST_GAP = np.finfo(np.float16).max


def row_dtype(width: int, top_k: int | None = None) -> np.dtype:
    """The layout of a row.

    ::

        kept     z − max z of the classes that are kept, float16
        columns  which these are; left out where all are kept
        rest     log of the mean of exp z over the classes that are not; likewise
        largest  max z, float32; NaN: the view could not be made
        clip     CRC-32 of the clip
        check    CRC-32 of the row and its place, never 0

    Args:
        width: D, outputs of the teacher's head.
        top_k: keep the k largest logits, and that of the label; or, where it is among them or the
            teacher does not know it, one more. None, or k >= D − 1, keeps all.

    Returns:
        A structured type: 2 D + 12 bytes, or 4 k + 20.
    """
    count = kept_logits(width, top_k)
    some = [('columns', '<u2', (count,)), ('rest', '<f4')] if count < width else []
    ends = [('largest', '<f4'), ('clip', '<u4'), ('check', '<u4')]
    return np.dtype([('kept', '<f2', (count,)), *some, *ends])


def kept_logits(width: int, top_k: int | None) -> int:
    """How many logits of D a row keeps."""
    return width if top_k is None else min(top_k + 1, width)


def encode_rows(
    logits: np.ndarray, labels: np.ndarray, clips: np.ndarray, top_k: int | None = None
) -> np.ndarray:
    """Put logits into rows.

    A gap ``z − max z`` has 11 bits, so the classes that matter are nearly exact: the error of a
    logit that lies g below the largest is at most g/2048.

    Args:
        logits: (N, D), finite.
        labels: the column of each sample's class, −1 where the teacher does not know it, (N,).
        clips: CRC-32 of the clips, (N,).
        top_k: see :func:`row_dtype`.

    Returns:
        (N,), without ``check``.
    """
    logits = np.asarray(logits, dtype=np.float32)
    rows = np.zeros(len(logits), row_dtype(logits.shape[1], top_k))
    rows['largest'] = logits.max(1)
    rows['clip'] = clips
    gaps = np.maximum(logits - rows['largest'][:, None], -LARGEST_GAP)
    if 'rest' not in rows.dtype.names:
        rows['kept'] = gaps
        return rows
    order = np.argsort(-logits, axis=1, kind='stable')
    for row, own, ranked, label in zip(rows, gaps, order, labels, strict=True):
        count = len(row['kept'])
        columns = ranked[:count].copy()
        if label >= 0 and label not in columns:
            columns[-1] = label
        row['columns'], row['kept'] = columns, own[columns]
        rest = np.delete(own, columns).astype(np.float64)
        row['rest'] = row['largest'] + rest.max() + np.log(np.exp(rest - rest.max()).mean())
    return rows


def decode_row(row: np.void, width: int) -> np.ndarray:
    """A teacher's logits again.

    Args:
        row: as :func:`encode_rows` made it.
        width: D.

    Returns:
        (D,), float32. Of top-k the other classes share what is left evenly: their sum of exp z is
        right, at temperature 1, and their differences are lost.
    """
    names = row.dtype.names or ()
    kept = row['largest'] + row['kept'].astype(np.float32)
    if 'rest' not in names:
        return kept
    logits = np.full(width, row['rest'], np.float32)
    logits[row['columns']] = kept
    return logits


def unusable_row(width: int, top_k: int | None = None) -> np.ndarray:
    """The row of a view that could not be made, without ``check``, (1,)."""
    row = np.zeros(1, row_dtype(width, top_k))
    row['largest'] = np.nan
    return row


def row_check(row: np.void, place: str) -> int:
    """CRC-32 of a row's content and of where it belongs.

    Args:
        row: the row.
        place: of which store, teacher and view it is: a right row in a wrong place is wrong.

    Returns:
        1 to 2³² − 1: a row that was never written, all zeros, is never right.
    """
    content = row.tobytes()[: -row.dtype['check'].itemsize]
    return zlib.crc32(content, zlib.crc32(place.encode())) or 1
