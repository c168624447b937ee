"""Fingerprints of a pipeline, a list of videos and a teacher, the same on any machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from torch import Tensor, nn

from mmaction_kd.stored_teachers.view_replay import video_key

PACKAGES = ('mmaction2', 'mmengine', 'mmcv', 'mmcv-lite', 'numpy', 'torch', 'decord', 'av')
"""What a clip may depend on, and OpenCV, whose package has several names."""


def canonical_json(value: object, what: str) -> str:
    """One text for equal settings.

    Args:
        value: a part of a config: numbers, strings, None, lists and dicts of such, and classes.
        what: how to call it in an error.

    Returns:
        JSON without spaces, keys in order.

    Raises:
        ValueError: it holds something else, such as a function.
    """

    def named(item: object) -> str:
        if isinstance(item, type):
            return f'{item.__module__}.{item.__qualname__}'
        raise ValueError(
            f'Stored teachers: {what} must be made of plain settings, got {item!r}; a function has '
            'no fingerprint, so register a transform and name it by its type.'
        )

    plain = value.to_dict() if hasattr(value, 'to_dict') else value
    return json.dumps(plain, sort_keys=True, separators=(',', ':'), default=named)


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of all weights and buffers, in hex."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        value = value.detach().cpu().contiguous()
        found.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        found.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def annotation_digest(dataset: BaseDataset) -> str:
    """Identify a list of labelled videos, wherever the videos are.

    Args:
        dataset: of MMEngine's kind.

    Returns:
        SHA-256 over key and label of every video, in order, in hex.
    """
    found = hashlib.sha256()
    for index in range(len(dataset)):
        label = dataset.get_data_info(index).get('label')
        if isinstance(label, Tensor | np.ndarray | np.generic):
            label = label.tolist()
        found.update(f'{json.dumps([video_key(dataset, index), label])}\n'.encode())
    return found.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of what decodes and transforms a video, for errors."""
    import cv2

    found = {'cv2': cv2.__version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def other_versions(theirs: Mapping[str, str]) -> str:
    """Which libraries are others than those of a store, in words.

    Args:
        theirs: of :func:`library_versions`, when the store was made.

    Returns:
        'decord 0.6.0 then, 0.7.0 now', or 'none'.
    """
    ours = library_versions()
    names = sorted(n for n in theirs.keys() | ours.keys() if theirs.get(n) != ours.get(n))
    return (
        '; '.join(f'{n} {theirs.get(n, "absent")} then, {ours.get(n, "absent")} now' for n in names)
        or 'none'
    )
