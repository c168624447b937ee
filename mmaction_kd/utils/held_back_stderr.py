"""Output of C libraries, held back until the file that they open proves to be a video."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def held_back_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, where C libraries print.

    Readers print the bytes of a file that is no video, or the names in a playlist. If the block
    raises an error, their output is dropped, as it may be the content of any file; otherwise it is
    passed on.

    The descriptor is shared by all threads of the process, so the block must be short.
    """
    try:
        shown = os.dup(2)
    except OSError:  # closed: nothing can be printed
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)
        held.seek(0)
        if printed := held.read():
            os.write(2, printed)
