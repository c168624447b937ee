"""Commands in processes of their own, which end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from mmaction_kd.processes.forked_script import ForkedScript

PATIENCE = 20  # seconds that a command has to end its own processes
PR_SET_PDEATHSIG = 1  # of Linux's prctl: the signal that a process gets when its parent dies


def start_command(
    words: Sequence[str], environment: Mapping[str, str], output: IO | None = None
) -> subprocess.Popen:
    """Start a command that no Ctrl-C reaches, since its parent's is to end it, and torchrun's way.

    Where the kernel can (Linux), it is told to end when the parent is killed, however that is.

    Args:
        words: of the command.
        environment: its variables.
        output: where what it prints goes; None: where this process prints.

    Returns:
        Its process, the first of a session of its own.

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


def end_command(process: subprocess.Popen | ForkedScript) -> None:
    """End a command that may have ended: first asked, so that torchrun ends its ranks, then killed.

    Args:
        process: of :func:`start_command`.
    """
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except (subprocess.TimeoutExpired, TimeoutError):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def end_with_parent() -> None:
    """Have this process ended when its parent is killed, where the kernel can (Linux)."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
