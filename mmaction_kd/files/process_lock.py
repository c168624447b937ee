"""Files that one process holds at a time; the kernel frees them when the process ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


def open_locked(path: Path, wait: bool) -> BinaryIO:
    """Open a file that no other process has open in this way, to read and write; or make it.

    The lock is one of POSIX: a killed process leaves none, forked children have none, and closing
    the file ends it. Where the system or the file system knows no locks, there is none.

    Args:
        path: of the file, in a folder that exists.
        wait: until the other process is done.

    Returns:
        The file, with what is in it.

    Raises:
        BlockingIOError: another process has it, without ``wait``.
        OSError: it can not be opened.
    """
    while True:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), 'r+b')
        try:
            _lock(file, wait)
            if _is_at(path, file):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # who had it before has moved or removed it


def _lock(file: BinaryIO, wait: bool) -> None:
    if fcntl is None:
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (BlockingIOError, PermissionError) as error:  # POSIX leaves the choice of these two
        raise BlockingIOError(error.errno, 'another process has it', file.name) from error
    except OSError:
        return  # some network file systems have no locks


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def only_process(lock: Path, owner: str, work: Path, remedy: str) -> Iterator[None]:
    """Refuse a second process that would write the same files.

    Args:
        lock: file that is there meanwhile; its folder is made. One that a killed process left does
            no harm.
        owner: the tool.
        work: where it works, for the error.
        remedy: what to do beside waiting, such as 'take another --out'.

    Raises:
        RuntimeError: another process is within such a block.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = open_locked(lock, wait=False)
    except BlockingIOError:
        raise RuntimeError(
            f'{owner}: another process works in {work}; wait for it, or {remedy}.'
        ) from None
    with file:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
