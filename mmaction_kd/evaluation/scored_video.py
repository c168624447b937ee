"""Validation of predictions: finite scores, and a label among their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmaction_kd.datasets.video_names import how_to_name, video_name
from mmaction_kd.models.reductions import at_least_float32


def scored_video(
    owner: str, sample: Mapping[str, Any], index: int, fields: Sequence[str] = ('pred_score',)
) -> dict[str, Any]:
    """Check a prediction, which would otherwise silently count as wrong, or as class 0.

    Args:
        owner: the metric that the user configures.
        sample: a data sample as a dict, with ``gt_label``, (1,), and the scores, (K,).
        index: of the video in its batch.
        fields: the scores that are counted; the label must be a class of the first.

    Returns:
        ``gt_label`` and the scores, in float32 or wider: NumPy has no bfloat16.

    Raises:
        ValueError: the video has not exactly one class among those of the scores.
        FloatingPointError: a score is NaN or infinite.
    """
    name = f'{video_name(sample, index)}{how_to_name([sample])}'
    label = sample.get('gt_label')
    if label is None or tuple(label.shape) != (1,):
        got = 'none' if label is None else f'a label of shape {tuple(label.shape)}'
        raise ValueError(
            f'{owner}: each video must have one class, got {got} for {name}; soft labels and '
            'several classes a video have no such accuracy.'
        )
    num_classes = sample[fields[0]].shape[-1]
    if not 0 <= label.item() < num_classes:
        raise ValueError(
            f'{owner}: the label must be a class of 0..{num_classes - 1}, those of '
            f"'{fields[0]}', got {label.item()} for {name}; take annotations of the classes of the "
            'model (-1 means a missing label).'
        )
    found = dict(gt_label=label)
    for field in fields:
        found[field] = scores = at_least_float32(sample[field])
        if not scores.isfinite().all():
            raise FloatingPointError(
                f"{owner}: '{field}' must be finite, got {scores[~scores.isfinite()][0]} for "
                f'{name}; were the weights of the model sound?'
            )
    return found
