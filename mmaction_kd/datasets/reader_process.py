"""Calls in a forked process, which may hang or crash without harm."""

from __future__ import annotations

import contextlib
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
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, BinaryIO

import cv2
import torch

from mmaction_kd.utils.child_command import end_with_parent

LONGEST_REASON = 600  # characters
ALIGNMENT = 64  # bytes


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
        """Make one from an error: its type and text, without what differs from run to run."""
        if isinstance(error, cls):
            return error
        text = re.sub(r'\[\d\d:\d\d:\d\d\] | at 0x[0-9a-f]+', '', str(error))  # decord's clock
        text = ' '.join(text.split())
        if len(text) > LONGEST_REASON:  # the remedy is at the end
            text = f'{text[: LONGEST_REASON // 2]} ... {text[-LONGEST_REASON // 2 :]}'
        trace = ''.join(traceback.format_exception(error))
        return cls(f'{type(error).__name__}: {text}' if text else type(error).__name__, trace)


class ReaderCrash(ReaderFault):
    """The process of a call ended in it."""


class ReaderProcess:
    """Calls a function in a forked process, which is killed on a timeout.

    The process starts at the first call and serves all later ones; after a fault the next call
    starts another. It also works in the workers of a DataLoader: these are daemonic, so
    ``multiprocessing`` refuses them children. It ends with its parent: on Linux the kernel kills
    it, elsewhere it ends when its pipe is closed.

    In it torch and OpenCV have one thread, as in a worker of a DataLoader.

    Args:
        function: to call; only its arguments and results are pickled.
        timeout: seconds per call. None: unlimited.

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
        """Send, and receive; see :meth:`receive`."""
        self.send(*arguments)
        return self.receive()

    def send(self, *arguments: Any) -> Connection:
        """Begin a call.

        Args:
            arguments: of the function.

        Returns:
            Connection that is readable when the result is there, for ``multiprocessing``'s
            ``wait``.
        """
        try:
            self._start_if_none().send(arguments)
        except OSError:  # it ended between two calls, which is no fault of this one
            self.end()
            self._start_if_none().send(arguments)
        self._deadline = math.inf if self.timeout is None else time.monotonic() + self.timeout
        return self._start_if_none()

    def receive(self) -> Any:
        """Return the result of the call that was begun.

        Raises:
            ReaderFault: it raised an error, timed out, or ended its process.
        """
        connection, left = self._start_if_none(), self.seconds_left()
        try:
            if not connection.poll(None if left == math.inf else left):
                self.end()
                raise ReaderFault(f'the reader did not return in {self.timeout:g} s')
            result = _receive(connection)
        except (EOFError, OSError):
            raise ReaderCrash(f'the reader ends its process{_how(self.end())}') from None
        if isinstance(result, ReaderFault):
            raise result
        return result

    def seconds_left(self) -> float:
        """Return the seconds left until the timeout of the call, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def end(self) -> int | None:
        """Kill the process.

        Returns:
            Its status as of ``os.waitpid``; None where it is unknown.
        """
        if self._connection is None:
            return None
        self._connection.close()
        self._connection = None
        if self._owner != os.getpid():  # forked from the owner
            return None
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # already reaped
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
                    os._exit(1)  # skip the parent's cleanup
            theirs.close()
        return self._connection


def available_cores() -> int:
    """Return the cores of this process; under a launcher, its share of the machine's."""
    affinity = getattr(os, 'sched_getaffinity', None)  # macOS and Windows have none
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)), 1)


def isolated_map(
    function: Callable, arguments: Sequence, workers: int, timeout: float | None = None
) -> Generator[tuple[int, Any]]:
    """Call a function once for each argument, in forked processes, which may hang or crash.

    An argument whose process ends is tried once more: the system may have killed it for memory.
    To stop early, close the generator, which kills the processes. A system that can not fork makes
    the calls in this process.

    Args:
        function: of one argument.
        arguments: pickled, as the results are.
        workers: number of processes.
        timeout: seconds per call. None: unlimited.

    Yields:
        Index of an argument, and the result or its :class:`ReaderFault`, in order of completion.
    """
    if not hasattr(os, 'fork'):
        for index, argument in enumerate(arguments):
            try:
                yield index, function(argument)
            except Exception as error:
                yield index, ReaderFault.of(error)
        return
    todo, crashed = iter(range(len(arguments))), set()
    busy: dict[Connection, tuple[ReaderProcess, int]] = {}

    def begin(process: ReaderProcess, index: int | None) -> None:
        if index is None:
            process.end()
        else:
            busy[process.send(arguments[index])] = process, index

    try:
        for _ in range(min(workers, len(arguments))):
            begin(ReaderProcess(function, timeout), next(todo))
        while busy:
            left = min(process.seconds_left() for process, _ in busy.values())
            ready = wait(list(busy), None if left == math.inf else left)
            for connection, (process, index) in list(busy.items()):
                if connection not in ready and process.seconds_left() > 0:
                    continue
                del busy[connection]
                try:
                    result = process.receive()
                except ReaderFault as fault:
                    if isinstance(fault, ReaderCrash) and index not in crashed:
                        crashed.add(index)
                        begin(process, index)
                        continue
                    result = fault
                begin(process, next(todo, None))
                yield index, result
    finally:
        for process, _ in busy.values():
            process.end()


def _how(status: int | None) -> str:
    if status is not None and os.WIFSIGNALED(status):
        return f' (signal {os.WTERMSIG(status)})'
    return ''


def _serve(connection: Connection, function: Callable, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    end_with_parent(signal.SIGKILL)
    if sys.platform == 'linux' and os.getppid() != parent:
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
    slices, size = [], 0
    for buffer in buffers:
        slices.append((size, len(buffer)))
        size += -(-len(buffer) // ALIGNMENT) * ALIGNMENT
    connection.send((head, slices, size))
    if size:
        with tempfile.TemporaryFile() if sys.platform != 'linux' else _memory_file() as file:
            file.truncate(size)
            shared = mmap.mmap(file.fileno(), size)
            for (start, length), buffer in zip(slices, buffers, strict=True):
                shared[start : start + length] = buffer
            send_handle(connection, file.fileno(), os.getppid())


def _receive(connection: Connection) -> Any:
    head, slices, size = connection.recv()
    if not size:
        return pickle.loads(head, buffers=[bytearray() for _ in slices])
    handle = recv_handle(connection)
    shared = memoryview(mmap.mmap(handle, size))  # is freed with the last array on it
    os.close(handle)
    return pickle.loads(head, buffers=[shared[start : start + n] for start, n in slices])


def _memory_file() -> BinaryIO:
    return os.fdopen(os.memfd_create('sample'), 'wb+')
