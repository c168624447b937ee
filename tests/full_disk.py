"""A disk without room, as far as any user can have one: no file may grow beyond a size."""

import contextlib
import resource


@contextlib.contextmanager
def files_up_to(size: int):
    """Writes beyond so many bytes fail in this process, as EFBIG."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
