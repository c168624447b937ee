"""Files that are complete or not there, whether the process is killed or the disk is full."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mmaction_kd.utils.process_lock import open_locked


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file atomically; see :func:`atomic_file`.

    Args:
        path: of the file; an older one is replaced.
        content: text (UTF-8) or bytes.

    Raises:
        OSError: it can not be written; the error names it.
    """
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name once it is complete and on the disk.

    Until then it is ``NAME.part`` in the same folder, which an error removes and a next run
    replaces. A second process that writes the same file waits for the first.

    Args:
        path: of the file; an older one is replaced.

    Yields:
        The stream, for bytes.

    Raises:
        OSError: it can not be written; the error names it.
    """
    part = path.with_name(f'{path.name}.part')
    with named_write_errors(path), open_locked(part, wait=True) as file:
        try:
            file.truncate()
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == 'nt':
                file.close()  # Windows moves no open file
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def remove_partial_files(folder: Path, *endings: str) -> None:
    """Remove the partial files that killed processes left, unless a process is writing one.

    Args:
        folder: need not exist.
        endings: of the names of the complete files.
    """
    for part in folder.glob('*.part'):
        if part.stem.endswith(endings):
            with contextlib.suppress(BlockingIOError), open_locked(part, wait=False):
                part.unlink(missing_ok=True)


@contextlib.contextmanager
def named_write_errors(path: Path) -> Iterator[None]:
    """Name the file, and a remedy, in an OSError of the block; its type and number stay."""
    try:
        yield
    except OSError as error:
        raise OSError(
            error.errno,
            f'Writing: there must be room for {path}, and the right to write it, got '
            f'{error.strerror or error}; see to that and give the same command again: what was '
            'there before still is.',
        ) from error


def _sync_folder(folder: Path) -> None:
    """Sync the new name to disk, before anything that it replaces is removed."""
    if os.name == 'nt':
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network file systems can not, and need not
    finally:
        os.close(descriptor)
