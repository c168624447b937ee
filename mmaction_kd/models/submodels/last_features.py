"""Last features of any model, the input of its classifier, as vectors or as a map."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmaction_kd.models.submodels.intermediate_features import dry_run, pool_to_vectors


def last_feature(feats: Any, num_videos: int, num_views: int, kind: str) -> Tensor:
    """Bring the input of a classifier to one feature for each view of each video.

    A vector is pooled as of an intermediate feature. The vectors of several tensors (the two of
    SlowFast, map and [CLS] of MViT) are concatenated.

    Args:
        feats: a tensor, or nested tuples and lists of them; the rows of each are a multiple of N V,
            view by view.
        num_videos: N.
        num_views: V.
        kind: 'vector' or 'map'.

    Returns:
        (N, V, D) or (N, V, C, T, H, W).

    Raises:
        ValueError: ``kind`` is 'map', and there is none or several.
    """
    rows = num_videos * num_views
    tensors = _flatten(feats)
    if kind == 'vector':
        feature = torch.cat([pool_to_vectors(x, rows) for x in tensors], 1)
    else:
        shapes = [tuple(x.shape) for x in tensors]
        if len(shapes) > 1 or len(shapes[0]) != 5:
            raise ValueError(
                'Last feature: a map must be one tensor (N·V, C, T, H, W), got shapes '
                f"{shapes}; fuse vectors, by 'concat' or 'bilinear'."
            )
        (feature,) = tensors
    return feature.unflatten(0, (num_videos, num_views))


def probe_last_dims(recognizer: BaseModel, kind: str, input_shape: tuple | None = None) -> int:
    """Find the size of the last feature by a dry run on the meta device.

    Args:
        recognizer: an MMAction2 recognizer.
        kind: see :func:`last_feature`.
        input_shape: of one video; see
            :func:`~mmaction_kd.models.submodels.intermediate_features.probe_dims`.

    Returns:
        D, or C of a map.

    Raises:
        ValueError: there is no map, or the model refuses the shape.
    """
    return last_feature(dry_run(recognizer, 'neck', input_shape), 1, 1, kind).shape[2]


def extracts_features(recognizer: BaseModel) -> bool:
    """Return ``feature_extraction`` of a ``test_cfg``, which MMAction2 1.x itself ignores."""
    return bool((recognizer.test_cfg or {}).get('feature_extraction'))


def video_features(feats: Any, num_videos: int) -> Tensor:
    """Average :func:`last_feature` over views to (N, D), as MMAction2's FeatureHead does."""
    return last_feature(feats, num_videos, 1, 'vector')[:, 0]


def _flatten(feats: Any) -> list[Tensor]:
    return [feats] if isinstance(feats, Tensor) else [x for part in feats for x in _flatten(part)]
