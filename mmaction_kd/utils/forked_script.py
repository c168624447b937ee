"""Scripts that start in milliseconds: forked from a process that has imported what they need."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from mmaction_kd.utils.child_command import end_with_parent


class ForkedScript:
    """``python SCRIPT ...`` without the seconds that the imports of MMAction2 take.

    It acts as :class:`subprocess.Popen` does for
    :func:`~mmaction_kd.utils.child_command.end_command`. The parent must not have used a GPU,
    which a forked process can't share.

    Args:
        words: the script's path and its arguments.
        environment: its variables.
        output: where what it prints goes.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], output: IO) -> None:
        context = multiprocessing.get_context('fork')
        self._process: BaseProcess = context.Process(
            target=_run, args=(words, environment, output.fileno())
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number, also that of its session."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds.

        Raises:
            TimeoutError: it still runs.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutError(f'{self.pid} still runs after {timeout} s')


def _run(words: Sequence[str], environment: Mapping[str, str], output: int) -> None:
    os.setsid()
    end_with_parent()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # Those of the parent may lead elsewhere, or hold what it has not written yet.
    sys.stdout = os.fdopen(1, 'w', buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, 'w', buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(words)
    sys.path.insert(0, str(Path(words[0]).parent.absolute()))
    try:
        runpy.run_path(words[0], run_name='__main__')
    except Exception:
        traceback.print_exc()
        sys.exit(1)
    finally:
        sys.stdout.flush()
