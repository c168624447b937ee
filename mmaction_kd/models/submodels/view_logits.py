"""Logits of any MMAction2 recognizer for each view."""

from __future__ import annotations

from typing import Any, NamedTuple

from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor


class ScoredViews(NamedTuple):
    """Output of :func:`score_views`."""

    logits: Tensor
    """(N, V, K)."""
    loss_aux: dict[str, Tensor]
    """Auxiliary losses of the neck."""
    feats: Any
    """Input of the classifier: a tensor, or several; rows are those of the backbone."""


def score_views(
    recognizer: BaseModel,
    inputs: Tensor,
    data_samples: list[ActionDataSample] | None = None,
    test_mode: bool = False,
) -> ScoredViews:
    """Compute the logits of each view of each video.

    Args:
        recognizer: an MMAction2 recognizer.
        inputs: (N, V, C, T, H, W), or (N, V·T, C, H, W) for a Recognizer2D.
        data_samples: for necks with a loss of their own, in training.
        test_mode: with the recognizer's ``test_cfg`` (``max_testing_views``, ``fcn_test``).

    Returns:
        Logits, auxiliary losses and features.
    """
    feats, head_kwargs = recognizer.extract_feat(
        inputs, data_samples=data_samples, test_mode=test_mode
    )
    logits = recognizer.cls_head(feats, **head_kwargs)  # (N·V, K)
    logits = logits.reshape(inputs.shape[0], -1, logits.shape[-1])  # len() would fix N in an export
    return ScoredViews(logits, head_kwargs.get('loss_aux', {}), feats)


def view_logits(
    recognizer: BaseModel,
    inputs: Tensor,
    data_samples: list[ActionDataSample] | None = None,
    test_mode: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the logits, (N, V, K), and the auxiliary losses of :func:`score_views`."""
    scored = score_views(recognizer, inputs, data_samples, test_mode)
    return scored.logits, scored.loss_aux
