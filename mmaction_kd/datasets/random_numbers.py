"""The global generators that transforms and layers draw from: Python's, NumPy's and torch's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed each with a number in [0, 2^32)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def random_state_kept(gpus: bool = True) -> Iterator[None]:
    """Restore the random state after the block, also after an error.

    Args:
        gpus: False leaves the generators of GPUs alone, which a worker process can not reach.
    """
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(None if gpus else []):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
