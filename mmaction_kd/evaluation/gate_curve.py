"""Cost and saving of a gate before the global pathway, from the scores of both pathways."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class GateCurve(NamedTuple):
    """Result of :func:`gate_curve`, one value per gate, from the smallest share to the largest."""

    gates: np.ndarray
    """Dominance below which the global pathway runs, in [0, 1]."""
    share: np.ndarray
    """Share of the videos that the global pathway processes, in [0, 1]."""
    top1: np.ndarray
    """Share of the videos that are classified correctly."""
    mean1: np.ndarray
    """Mean-class accuracy, over the classes that have videos."""


def gate_curve(
    labels: np.ndarray,
    local: np.ndarray,
    fused: np.ndarray,
    dominance: np.ndarray,
    gates: np.ndarray | None = None,
) -> GateCurve:
    """Compute the accuracy at every gate: videos with ``dominance < gate`` are fused, others local.

    Args:
        labels: class of each video, (N,).
        local: scores of the local pathway, (N, K).
        fused: scores of both, (N, K).
        dominance: of the local pathway, (N,), in (0, 1].
        gates: to evaluate, (M,), ascending. None: 0, the middles between neighbouring dominances,
            and 1, which gives every possible share.

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
    passed = np.searchsorted(dominance[order], gates, side='left')  # videos below each gate
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
        found[metric] = right['fused'][passed] + right['local'][-1] - right['local'][passed]
    return GateCurve(gates, passed / len(labels), **found)


def cheapest_gate(curve: GateCurve, metric: str, tolerance: float = 0.0) -> int:
    """Return the index of the gate with the smallest share that is as good as no gate.

    Args:
        curve: of a validation set, never of the videos on which results are reported.
        metric: 'top1' or 'mean1'.
        tolerance: allowed loss of accuracy, a ratio, at least 0.
    """
    accuracy = getattr(curve, metric)
    good = accuracy >= accuracy[-1] - tolerance - 1e-9  # the sums are rounded
    return int(np.argmax(good))
