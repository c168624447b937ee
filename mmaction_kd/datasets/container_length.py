"""Length of a video file in bytes, according to its headers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT = b'\x1a\x45\xdf\xa3', b'\x18\x53\x80\x67'  # of Matroska and WebM


def promised_length(path: str | Path) -> int:
    """Read from the headers where the last part of a file ends.

    Decoders take a truncated file for one that ends there, and guess the rest of the last frame.

    Source: ISO/IEC 14496-12, section 4.2 (.mp4, .mov); Microsoft, "AVI RIFF File Reference"; RFC
    8794, section 4, and RFC 9559, section 5.1 (.mkv, .webm).

    Args:
        path: of the file.

    Returns:
        Bytes, more than the file has if it is truncated; 0 where the headers have no length.
    """
    length = os.path.getsize(path)
    with open(path, 'rb') as file:
        head = file.read(8)
        file.seek(0)
        if head[4:] == b'ftyp':
            return _end_of_boxes(file, length)
        if head[:4] == b'RIFF':
            return _end_of_chunks(file)
        if head[:4] == EBML:
            return _end_of_segment(file)
    return 0


def how_cut(path: str | Path) -> str:
    """Describe where a truncated local file ends; '' for a complete one or an unknown length."""
    length, promised = os.path.getsize(path), promised_length(path)
    return f'the file ends after {length} of {promised} bytes' if length < promised else ''


def _end_of_boxes(file: BinaryIO, length: int) -> int:
    start = 0
    while len(head := file.read(16)) >= 8:
        kind, size = head[4:8], int.from_bytes(head[:4], 'big')
        if size == 1:  # a long one
            size = int.from_bytes(head[8:], 'big')
        if size < 8:  # 0: up to the end of the file
            return 0
        if start + size > length:  # what others append need not be a box
            return start + size if kind in (b'mdat', b'moov') else 0
        start += size
        file.seek(start)
    return start


def _end_of_chunks(file: BinaryIO) -> int:
    start = 0
    while (head := file.read(8))[:4] == b'RIFF':  # one for each GB
        start += 8 + int.from_bytes(head[4:], 'little')
        file.seek(start)
    return start


def _end_of_segment(file: BinaryIO) -> int:
    file.seek(len(EBML))
    file.seek(_vint(file) or 0, os.SEEK_CUR)
    if file.read(len(SEGMENT)) != SEGMENT:
        return 0
    size = _vint(file)
    return 0 if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """Read an EBML number, whose first byte has a leading zero per byte after it; None: unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    value = int.from_bytes(first + file.read(extra), 'big') - (1 << 7 * (extra + 1))
    return None if value == (1 << 7 * (extra + 1)) - 1 else value
