"""Adaptive fusion: at test the surer pathway counts more (MBD, equations 14 and 15).

Source: Kang et al., Sensors 2025, 25(22), 6849, equations (14)-(15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmaction_kd.choices import check_choice
from mmaction_kd.models.losses.dominance import Dominance
from mmaction_kd.registry import MODELS


class FusedScores(NamedTuple):
    """What :class:`AdaptiveFusionHead` returns."""

    score: Tensor
    """(N, K), each row sums to 1."""
    weights: dict[str, Tensor]
    """For each pathway (N,); over the pathways they sum to 1."""
    dominance: dict[str, Tensor]
    """For each pathway (N,), in (0, 1]."""


def fusion_weights(dominance: Mapping[str, Tensor], kind: str = 'ratio') -> dict[str, Tensor]:
    """Equation (15): ``w^h = D^h / (D^l + D^g)``.

    Args:
        dominance: D of each pathway, (N,).
        kind: 'ratio' (15); 'softmax' of the D's, all but indistinguishable from averaging as D is
            near 1/K; 'average', the baseline.

    Returns:
        For each pathway w, (N,).
    """
    stacked = torch.stack(list(dominance.values()))  # (pathways, N)
    if kind == 'ratio':
        weights = stacked / stacked.sum(0)
    elif kind == 'softmax':
        weights = stacked.softmax(0)
    else:
        weights = torch.full_like(stacked, 1 / len(stacked))
    return dict(zip(dominance, weights, strict=True))


@MODELS.register_module()
class AdaptiveFusionHead(BaseModule):
    """Fuse the scores of the pathways, ``S_i = w_i^l f_i^l + w_i^g f_i^g``.

    f is the mean over views of a pathway's softmax; w comes from its dominance (no true label
    enters). With the default dominance w lies in [0.2, 0.8].

    Source: MBD, equations (14)-(15).

    Args:
        num_classes: K.
        weights: kind of :func:`fusion_weights`.
        dominance: settings of :class:`~mmaction_kd.models.losses.dominance.Dominance`.

    Raises:
        ValueError: a setting is not among its choices, or needs what is not there at test.
    """

    def __init__(
        self, num_classes: int, weights: str = 'ratio', dominance: Mapping | None = None
    ) -> None:
        super().__init__()
        me = type(self).__name__
        check_choice(me, 'weights', weights, ('ratio', 'softmax', 'average'))
        self.weights = weights
        self.dominance = Dominance(num_classes, **(dominance or {}))
        if self.dominance.needs_targets or self.dominance.space != 'prob':
            raise ValueError(
                f"{me}: dominance must have normalizer='classes', reduce='max' and space='prob', "
                f'got {dict(dominance or {})}; a test video has no label and its f is a mean of '
                'probabilities.'
            )

    def forward(self, probs: Mapping[str, Tensor], targets: Tensor | None = None) -> FusedScores:
        """Equations (14) and (15).

        Args:
            probs: f of each pathway, (N, K), rows sum to 1.
            targets: class index of every sample, (N,); in training only, for the class centres of a
                dominance with ``labels='centers'``.

        Returns:
            Fused scores, weights and dominances.
        """
        dominance = self.dominance(
            {name: f.detach().double() for name, f in probs.items()}, targets
        )
        weights = fusion_weights(dominance, self.weights)
        score = torch.stack([weights[name].to(f)[:, None] * f for name, f in probs.items()]).sum(0)
        return FusedScores(score, weights, dominance)
