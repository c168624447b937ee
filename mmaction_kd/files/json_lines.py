"""Files to which a line of JSON is added at a time, and that a kill can cut at any byte."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mmaction_kd.files.atomic_file import named_write_errors
from mmaction_kd.files.process_lock import open_locked


def append_line(path: Path, record: dict) -> None:
    """Add a line, which is on disk afterwards; of two processes the second waits for the first.

    Args:
        path: of the file; it is made where there is none, with its folder.
        record: what JSON can hold.

    Raises:
        OSError: it can not be written; the lines that were there are complete.
    """
    text = json.dumps(record, separators=(',', ':'))
    path.parent.mkdir(parents=True, exist_ok=True)
    with named_write_errors(path), open_locked(path, wait=True) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b'\n':
                text = f'\n{text}'  # the last process was stopped within its last line
        file.write(f'{text}\n'.encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict]:
    """All lines; one that was cut short is none.

    Args:
        path: of the file; without one there are no lines.

    Returns:
        Each line that is an object.
    """
    if not path.is_file():
        return []
    found = []
    for text in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            found.append(line)
    return found
