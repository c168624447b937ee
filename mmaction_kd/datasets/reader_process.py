"""A function in a process of its own, which may hang or die there without harm."""

from __future__ import annotations

import contextlib
import ctypes
import io
import math
import mmap
import multiprocessing
import os
import pickle
import re
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, BinaryIO

import cv2
import torch

LONGEST_REASON = 600  # characters
ALIGNMENT = 64  # bytes
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies


class ReaderFault(Exception):
    """Why there is no sample.

    Args:
        reason: one line.
        trace: the traceback of the error, where there was one.
    """

    def __init__(self, reason: str, trace: str = '') -> None:
        super().__init__(reason, trace)
        self.reason, self.trace = reason, trace

    @classmethod
    def of(cls, error: Exception) -> ReaderFault:
        """What to say of an error: its type and text, less what differs from run to run."""
        if isinstance(error, cls):
            return error
        text = re.sub(r'\[\d\d:\d\d:\d\d\] | at 0x[0-9a-f]+', '', str(error))  # decord's clock
        text = ' '.join(text.split())
        if len(text) > LONGEST_REASON:  # what to do about it stands at the end
            text = f'{text[: LONGEST_REASON // 2]} ... {text[-LONGEST_REASON // 2 :]}'
        trace = ''.join(traceback.format_exception(error))
        return cls(f'{type(error).__name__}: {text}' if text else type(error).__name__, trace)


class ReaderProcess:
    """Calls a function in a forked process, which is killed where it takes too long.

    The process starts at the first call and serves all later ones; after a fault the next call
    starts another. It is also there for the worker of a DataLoader, whose own kind, daemonic
    processes, may have no children of ``multiprocessing``. It ends with its parent: the kernel of
    Linux kills it, elsewhere it sees the end of its pipe when it waits for the next call.

    In it torch and OpenCV have one thread, as in a worker of a DataLoader.

    Args:
        function: anything; nothing is pickled but its arguments and its results.
        timeout: seconds that a call may take; None for any time.

    Raises:
        OSError: this system can not fork.
    """

    def __init__(self, function: Callable, timeout: float | None = None) -> None:
        self.function, self.timeout = function, timeout
        self._connection: Connection | None = None
        self._deadline = math.inf
        self._pid = self._owner = 0
        if not hasattr(os, 'fork'):
            raise OSError(
                f'{type(self).__name__}: the system must be able to fork, got {sys.platform}; '
                'read without a process of its own.'
            )

    def __reduce__(self) -> tuple:
        return type(self), (self.function, self.timeout)  # a copy starts a process of its own

    def __del__(self) -> None:
        self.end()

    def __call__(self, *arguments: Any) -> Any:
        """Send, and receive.

        Raises:
            ReaderFault: see :meth:`receive`.
        """
        self.send(*arguments)
        return self.receive()

    def send(self, *arguments: Any) -> Connection:
        """Begin a call.

        Args:
            arguments: of the function.

        Returns:
            What is ready to be read when the result is there, for ``multiprocessing``'s ``wait``.
        """
        try:
            self._start_if_none().send(arguments)
        except OSError:  # it ended while it had nothing to do, which is no fault of this call
            self.end()
            self._start_if_none().send(arguments)
        self._deadline = math.inf if self.timeout is None else time.monotonic() + self.timeout
        return self._start_if_none()

    def receive(self) -> Any:
        """The result of the call that was begun.

        Returns:
            What the function returned.

        Raises:
            ReaderFault: it raised an error, did not return in time, or ended its process.
        """
        connection, left = self._start_if_none(), self.seconds_left()
        try:
            if not connection.poll(None if left == math.inf else left):
                self.end()
                raise ReaderFault(f'the reader did not return in {self.timeout:g} s')
            result = _receive(connection)
        except (EOFError, OSError):
            raise ReaderFault(f'the reader ends its process{_how(self.end())}') from None
        if isinstance(result, ReaderFault):
            raise result
        return result

    def seconds_left(self) -> float:
        """Of the call that was begun; 0 where it takes too long."""
        return max(0.0, self._deadline - time.monotonic())

    def end(self) -> int | None:
        """End the process, whatever it does.

        Returns:
            Its status as of ``os.waitpid``; None where it is not known.
        """
        if self._connection is None:
            return None
        self._connection.close()
        self._connection = None
        if self._owner != os.getpid():  # this process was forked from the one that it serves
            return None
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # somebody else waited
            os.kill(self._pid, signal.SIGKILL)
            for _ in range(100):  # a process that waits for a broken disk can't be killed at all
                ended, status = os.waitpid(self._pid, os.WNOHANG)
                if ended:
                    return status
                time.sleep(0.01)
        return None

    def _start_if_none(self) -> Connection:
        if self._owner != os.getpid():
            self.end()
        if self._connection is None:
            self._connection, theirs = multiprocessing.Pipe()
            self._owner = os.getpid()
            self._pid = os.fork()
            if self._pid == 0:
                try:
                    self._connection.close()
                    _serve(theirs, self.function, self._owner)
                finally:
                    os._exit(1)  # nothing that the parent has to finish is finished here
            theirs.close()
        return self._connection


def _how(status: int | None) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return f' (signal {os.WTERMSIG(status)})'
    return ''


def _serve(connection: Connection, function: Callable, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    while True:
        arguments = connection.recv()
        try:
            reply = _pickled(function(*arguments))
        except Exception as error:
            reply = _pickled(ReaderFault.of(error))
        _send(connection, *reply)


class _Pickler(pickle.Pickler):
    """Tensors as arrays, whose bytes need not be copied into the pickle."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not torch.Tensor:
            return NotImplemented
        try:
            return torch.from_numpy, (value.numpy(),)
        except (RuntimeError, TypeError):  # it has gradients, or NumPy has no such type
            return NotImplemented


def _pickled(value: Any) -> tuple[bytes, list[memoryview]]:
    head, buffers = io.BytesIO(), []  # type: ignore[var-annotated]
    _Pickler(head, protocol=5, buffer_callback=buffers.append).dump(value)
    return head.getvalue(), [buffer.raw() for buffer in buffers]


def _send(connection: Connection, head: bytes, buffers: list[memoryview]) -> None:
    """Arrays go through memory that both processes map: a pipe takes a clip in dozens of pieces."""
    places, size = [], 0
    for buffer in buffers:
        places.append((size, len(buffer)))
        size += -(-len(buffer) // ALIGNMENT) * ALIGNMENT
    connection.send((head, places, size))
    if size:
        with tempfile.TemporaryFile() if sys.platform != 'linux' else _memory_file() as file:
            file.truncate(size)
            shared = mmap.mmap(file.fileno(), size)
            for (start, length), buffer in zip(places, buffers, strict=True):
                shared[start : start + length] = buffer
            send_handle(connection, file.fileno(), os.getppid())


def _receive(connection: Connection) -> Any:
    head, places, size = connection.recv()
    if not size:
        return pickle.loads(head, buffers=[bytearray() for _ in places])
    handle = recv_handle(connection)
    shared = memoryview(mmap.mmap(handle, size))  # is freed with the last array on it
    os.close(handle)
    return pickle.loads(head, buffers=[shared[start : start + n] for start, n in places])


def _memory_file() -> BinaryIO:
    return os.fdopen(os.memfd_create('sample'), 'wb+')
