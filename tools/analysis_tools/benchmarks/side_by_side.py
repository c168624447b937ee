"""Two ways to the same thing, timed in turn in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch


def compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    pairs: int,
    device: str = 'cpu',
    warmup: int = 1,
) -> dict:
    """Time two functions side by side.

    Args:
        ours: what is measured.
        theirs: what it is measured against.
        pairs: runs of each.
        device: waited for, if it works asynchronously.
        warmup: runs of each that are not counted.

    Returns:
        ``ratio`` of the medians, ``quartiles`` of the ratios of the pairs, both ``median`` s.
    """

    def seconds(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        if device.startswith('cuda'):
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    for _ in range(warmup):
        seconds(ours), seconds(theirs)
    times: dict[str, list[float]] = dict(ours=[], theirs=[])
    sides = [('ours', ours), ('theirs', theirs)]
    for pair in range(pairs):
        for name, function in sides if pair % 2 else reversed(sides):
            times[name].append(seconds(function))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [a / b for a, b in zip(times['ours'], times['theirs'], strict=True)]
    return dict(
        ratio=medians['ours'] / medians['theirs'],
        quartiles=np.quantile(ratios, [0.25, 0.75]).tolist(),
        ours_seconds=medians['ours'],
        theirs_seconds=medians['theirs'],
        pairs=pairs,
    )
