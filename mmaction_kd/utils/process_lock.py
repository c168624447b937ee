"""Files that one process locks; the kernel frees them when the process ends."""

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
    """Open a file to read and write, or create it, and lock it against other processes.

    The lock is POSIX's: it ends with the process or when the file is closed, and forked children do
    not inherit it. Where the system or the file system has no locks, there is none.

    Args:
        path: of the file, in a folder that exists.
        wait: for the other process to finish.

    Raises:
        BlockingIOError: another process holds it, without ``wait``.
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
        file.close()  # the other process moved or removed it


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
        lock: lock file, whose folder is created. One that a killed process left does no harm.
        owner: the tool.
        work: what it writes, for the error.
        remedy: what to do beside waiting, such as 'take another --out'.

    Raises:
        RuntimeError: another process holds the lock.
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
