"""What a gate before the global pathway saves and what it costs, from the scores of both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class GateCurve(NamedTuple):
    """What :func:`gate_curve` returns, one value a gate, from the smallest share to the largest."""

    gates: np.ndarray
    """Dominance below which the global pathway runs, in [0, 1]."""
    share: np.ndarray
    """Of the videos, those that the global pathway sees, in [0, 1]."""
    top1: np.ndarray
    """Share of the videos that are right."""
    mean1: np.ndarray
    """Mean over the classes that have videos of their share."""


def gate_curve(
    labels: np.ndarray,
    local: np.ndarray,
    fused: np.ndarray,
    dominance: np.ndarray,
    gates: np.ndarray | None = None,
) -> GateCurve:
    """Accuracy at every gate: videos with ``dominance < gate`` are fused, the others local.

    Args:
        labels: class of each video, (N,).
        local: scores of the local pathway, (N, K).
        fused: scores of both, (N, K).
        dominance: of the local pathway, (N,), in (0, 1].
        gates: to look at, (M,), ascending. None: 0, between each two neighbouring dominances, 1, so
            that each share that can be had is there.

    Returns:
        Gates, shares and accuracies, (M,) each.
    """
    order = np.argsort(dominance, kind='stable')
    if gates is None:
        values = np.unique(dominance)
        middle = (values[1:] + values[:-1]) / 2
        # between two neighbouring floats there is none
        middle = np.where(middle > values[:-1], middle, values[1:])
        gates = np.concatenate([[0.0], middle, [1.0]])
    seen = np.searchsorted(dominance[order], gates, side='left')  # videos below each gate
    counts = np.bincount(labels)
    weights = dict(
        top1=np.full(len(labels), 1 / len(labels)),
        mean1=1 / (counts[labels] * np.count_nonzero(counts)),
    )
    found = {}
    for metric, weight in weights.items():
        right = {
            name: np.cumsum(np.concatenate([[0.0], ((scores.argmax(1) == labels) * weight)[order]]))
            for name, scores in dict(local=local, fused=fused).items()
        }
        found[metric] = right['fused'][seen] + right['local'][-1] - right['local'][seen]
    return GateCurve(gates, seen / len(labels), **found)


def cheapest_gate(curve: GateCurve, metric: str, tolerance: float = 0.0) -> int:
    """The gate of the smallest share that is as good as the last one, which lets all pass.

    Args:
        curve: of a validation set, never of the videos that the result is told of.
        metric: 'top1' or 'mean1'.
        tolerance: by how much the accuracy may be lower, a ratio, at least 0.

    Returns:
        Its index.
    """
    accuracy = getattr(curve, metric)
    good = accuracy >= accuracy[-1] - tolerance - 1e-9  # the sums are rounded
    return int(np.argmax(good))
