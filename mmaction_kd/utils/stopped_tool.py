"""How a tool ends on Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

STOPPED = 130  # exit code after Ctrl-C, by the shells' convention


@contextlib.contextmanager
def plain_ctrl_c(tool: str) -> Iterator[None]:
    """Print one line instead of a traceback, for a tool that leaves nothing half-written.

    Args:
        tool: its name.

    Raises:
        SystemExit: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        message = f'{tool}: stopped; nothing is half-written, give the same command again.'
        print(f'\n{message}', file=sys.stderr, flush=True)
        sys.exit(STOPPED)


@contextlib.contextmanager
def ctrl_c_after() -> Iterator[None]:
    """Let a Ctrl-C wait for the end of the block, so that all its files have a line, or none.

    Only in the main thread.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed meanwhile.
    """
    pressed = []
    handler = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if pressed:
        raise KeyboardInterrupt
