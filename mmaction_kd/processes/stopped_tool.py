"""What a tool says when it is stopped."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

STOPPED = 130  # exit code of a program that Ctrl-C ended, as shells have it


@contextlib.contextmanager
def plain_ctrl_c(tool: str) -> Iterator[None]:
    """One line instead of a traceback, for a tool that leaves nothing half-written.

    Args:
        tool: its name.

    Raises:
        SystemExit: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        said = f'{tool}: stopped; nothing is half-written, give the same command again.'
        print(f'\n{said}', file=sys.stderr, flush=True)
        sys.exit(STOPPED)
