"""Commands in child processes, which end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol

PATIENCE = 20  # seconds between SIGTERM and SIGKILL
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies


class Process(Protocol):
    """What is asked of a running command: the part of ``subprocess.Popen`` that ends it."""

    @property
    def pid(self) -> int:
        """Its number, also that of its session."""

    def poll(self) -> int | None:
        """Exit status; None while it runs."""

    def wait(self, timeout: float | None = None) -> Any:
        """Wait for its end, at most ``timeout`` seconds."""


def start_command(
    words: Sequence[str], environment: Mapping[str, str], output: IO | None = None
) -> subprocess.Popen:
    """Start a command in a session of its own, so that Ctrl-C reaches its parent only.

    On Linux the kernel also sends it SIGTERM when the parent dies, even by SIGKILL.

    Args:
        words: of the command.
        environment: its variables.
        output: file for stdout and stderr. None: those of this process.

    Raises:
        OSError: there is no such program, or it can not be run.
    """
    return subprocess.Popen(
        words,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        preexec_fn=end_with_parent,
    )


def end_command(process: Process) -> None:
    """End a running command by SIGTERM, so that torchrun ends its ranks, then by SIGKILL."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, TimeoutError):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Let the kernel send this process a signal when its parent dies (Linux only)."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
