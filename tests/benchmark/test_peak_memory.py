"""Truth: functions that need a known number of bytes."""

from functools import partial

import pytest
import torch
from benchmarks.peak_memory import peak_memory

MB = 10**6


def fill(megabytes, kept):
    """A function that fills so much memory and lets it go, where ``kept`` was there before."""
    held = torch.ones(kept * MB // 4)

    def function():
        torch.ones(megabytes * MB // 8)
        torch.ones(megabytes * MB // 4)
        return held

    return function


def die():
    raise SystemExit


@pytest.mark.slow
@pytest.mark.parametrize(('megabytes', 'kept'), [(200, 10), (40, 300)])
def test_what_is_needed_at_once_and_not_what_was_there(megabytes, kept):
    found = peak_memory(partial(fill, megabytes, kept)) / MB
    assert 0.8 * megabytes < found < megabytes + 30  # libraries and the system move it a little


@pytest.mark.slow
def test_a_process_that_dies_is_told():
    with pytest.raises(RuntimeError, match='the process that was measured has died'):
        peak_memory(die)
