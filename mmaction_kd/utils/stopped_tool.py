"""How a tool ends on Ctrl-C."""

from __future__ import annotations

import contextlib
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
