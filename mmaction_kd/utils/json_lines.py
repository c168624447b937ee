"""JSON Lines files: records are appended one at a time, and a kill may cut the last one."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mmaction_kd.utils.atomic_file import named_write_errors
from mmaction_kd.utils.process_lock import open_locked


def append_line(path: Path, record: dict) -> None:
    """Append a line and sync it to disk; a second process waits for the first.

    Args:
        path: of the file; it is created with its folder.
        record: what JSON can hold.

    Raises:
        OSError: it can not be written; earlier lines stay complete.
    """
    text = json.dumps(record, separators=(',', ':'))
    path.parent.mkdir(parents=True, exist_ok=True)
    with named_write_errors(path), open_locked(path, wait=True) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b'\n':
                text = f'\n{text}'  # a kill cut the last line short
        file.write(f'{text}\n'.encode())
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict]:
    """Read the objects of all complete lines; none where there is no file."""
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
