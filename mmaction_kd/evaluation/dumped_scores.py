"""Scores of a test, as MMEngine's ``DumpResults`` writes them (``tools/test.py --dump``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from mmaction_kd.host_fixes.plain_pickle import load_plain_pickle

SUFFIX = '_score'


class DumpedScores(NamedTuple):
    """Result of :func:`load_scores`."""

    labels: np.ndarray
    """Class index of every video, (N,), int64."""
    scores: dict[str, np.ndarray]
    """By name, (N, K), float64: 'pred', and for an MBDRecognizer 'local' and 'global'."""


def load_scores(path: str | os.PathLike) -> DumpedScores:
    """Read a dump; only data is unpickled, no code runs.

    Args:
        path: of the .pkl file that ``tools/test.py CONFIG CHECKPOINT --dump PATH`` wrote.

    Returns:
        Labels, and under 'x' the scores of each field ``x_score``: 'pred', the model's prediction
        (of an MBDRecognizer the fused one), and those of its parts.

    Raises:
        FileNotFoundError: no such file.
        pickle.UnpicklingError: the file asks for more than plain data.
        ValueError: it is no dump of a test with labels and scores.
    """
    samples = load_plain_pickle(path)
    if not isinstance(samples, list) or not samples or not isinstance(samples[0], Mapping):
        raise ValueError(
            'load_scores: a dump must be a list with a dict for each video, got '
            f'{_brief(samples)} from {path}; write it with tools/test.py --dump.'
        )
    fields = [field for field in samples[0] if _is_score(field)]
    for index, sample in enumerate(samples):
        found = [field for field in sample if _is_score(field)]
        if 'gt_label' not in sample or 'pred_score' not in fields or set(found) != set(fields):
            raise ValueError(
                "load_scores: each video must have 'gt_label', 'pred_score' and the same fields "
                f'*{SUFFIX}, got {sorted(map(str, sample))} for video {index} of {path}; dump a '
                'test on videos with labels, of an MBDRecognizer with '
                '--cfg-options model.fusion_head.gate=None.'
            )
    scores = {
        field.removesuffix(SUFFIX): _stack(field, [sample[field] for sample in samples], path)
        for field in fields
    }
    shapes = {name: value.shape for name, value in scores.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f'load_scores: all scores must be over the same classes, got {shapes} from {path}.'
        )
    classes = scores['pred'].shape[1]
    labels = np.array([_label(sample['gt_label'], path) for sample in samples])
    if not ((labels >= 0) & (labels < classes)).all():
        raise ValueError(
            f'load_scores: labels must be in [0, {classes - 1}], as there are {classes} scores, '
            f'got {labels.min()} to {labels.max()} from {path}.'
        )
    return DumpedScores(labels, scores)


def _is_score(field: Any) -> bool:
    return isinstance(field, str) and field.endswith(SUFFIX)


def _stack(field: str, values: list, path: str | os.PathLike) -> np.ndarray:
    """Stack the scores of all videos, (K,) each -> (N, K)."""
    rows = [_array(value) for value in values]
    shapes = sorted({row.shape for row in rows})
    if len(shapes) > 1 or len(shapes[0]) != 1 or not all(np.isfinite(row).all() for row in rows):
        raise ValueError(
            f"load_scores: '{field}' must be (K,) finite numbers for each video, got shapes "
            f'{shapes} from {path}.'
        )
    return np.stack(rows)


def _array(value: Any) -> np.ndarray:
    """Convert to float64; what is no array becomes an empty one."""
    if isinstance(value, torch.Tensor):
        value = value.detach().double().numpy()  # NumPy has no bfloat16
    is_array = isinstance(value, (np.ndarray, list, tuple))
    return np.asarray(value, np.float64) if is_array else np.empty((0, 0))


def _label(value: Any, path: str | os.PathLike) -> int:
    """Return a class index; of a soft label (K,) its largest class."""
    array = np.asarray(value)
    if array.size == 1:
        return int(array.item())
    if array.ndim == 1 and array.dtype.kind == 'f' and array.size:
        return int(array.argmax())
    raise ValueError(
        'load_scores: a label must be one class index or a soft label (K,), got '
        f'{_brief(value)} from {path}; a video with several labels can not be read.'
    )


def _brief(value: Any) -> str:
    kind = type(value).__name__
    return f'{kind} of {len(value)}' if isinstance(value, (list, tuple, dict)) else kind
