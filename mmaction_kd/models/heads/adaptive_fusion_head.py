"""Adaptive fusion: at test the more confident pathway counts more (MBD, equations 14 and 15).

Source: Kang et al., Sensors 2025, 25(22), 6849, equations (14)-(15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads.fusion_head import FusedScores, FusionHead
from mmaction_kd.options import check_choice, checked_options
from mmaction_kd.registry import MODELS


def fusion_weights(
    dominance: Mapping[str, Tensor], kind: str | Mapping[str, float] = 'ratio'
) -> dict[str, Tensor]:
    """Compute (15): ``w^h = D^h / (D^l + D^g)``.

    Args:
        dominance: D of each pathway, (N,).
        kind: 'ratio' (15); 'softmax' of the D's, close to averaging as D is near 1/K; or a
            baseline: 'average', or fixed numbers, which are divided by their sum.

    Returns:
        For each pathway w, (N,).
    """
    stacked = torch.stack(list(dominance.values()))  # (pathways, N)
    if kind == 'ratio':
        weights = stacked / stacked.sum(0)
    elif kind == 'softmax':
        weights = stacked.softmax(0)
    elif isinstance(kind, Mapping):
        fixed = stacked.new_tensor([kind[name] for name in dominance])
        weights = (fixed / fixed.sum())[:, None].expand_as(stacked)
    else:
        weights = torch.full_like(stacked, 1 / len(stacked))
    return dict(zip(dominance, weights, strict=True))


def combine_scores(
    probs: Mapping[str, Tensor], weights: Mapping[str, Tensor], how: str = 'sum'
) -> Tensor:
    """Compute (14): ``S_i = Σ_h w_i^h f_i^h``; or the maximum over h, renormalised.

    Args:
        probs: f of each pathway, (N, K), rows sum to 1.
        weights: w of each pathway, (N,).
        how: 'sum' (14), or 'max', a baseline where the weights are equal.

    Returns:
        S, (N, K), rows sum to 1.
    """
    weighted = torch.stack([weights[name].to(f)[:, None] * f for name, f in probs.items()])
    if how == 'sum':
        return weighted.sum(0)
    largest = weighted.amax(0)
    return largest / largest.sum(1, keepdim=True)


@MODELS.register_module()
class AdaptiveFusionHead(FusionHead):
    """Fuse the scores of the pathways, ``S_i = w_i^l f_i^l + w_i^g f_i^g``.

    f is the mean over views of a pathway's softmax; w comes from its dominance, without the
    true label. With the default dominance w lies in [0.2, 0.8]. Nothing is trained.

    Source: MBD, equations (14)-(15). The other ``weights`` and ``combine`` are baselines of Fig. 6.

    Args:
        num_classes: K.
        weights: 'ratio' (15), 'softmax' or 'average', see :func:`fusion_weights`; or two fixed
            numbers, (local, global).
        dominance: settings of :class:`~mmaction_kd.models.dominance.Dominance`.
        combine: 'sum' (14) or 'max', see :func:`combine_scores`.
        gate: local dominance in [0, 1] at and above which a validation or test uses the local
            scores and skips the global pathway; see tools/analysis_tools/gate_threshold.py. None:
            both pathways run on every video. Not in the paper. Not for FSDP, where all ranks must
            run a pathway equally often.

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is not among its choices or out of range, or needs labels at test.
    """

    @checked_options
    def __init__(
        self,
        num_classes: int,
        weights: str | Sequence[float] = 'ratio',
        dominance: Mapping | None = None,
        combine: str = 'sum',
        gate: float | None = None,
    ) -> None:
        super().__init__(num_classes, dominance)
        me = type(self).__name__
        if gate is not None and not 0 <= gate <= 1:
            raise ValueError(
                f'{me}: gate must be a dominance, in [0, 1], or None, got {gate}; '
                'tools/analysis_tools/gate_threshold.py finds one.'
            )
        check_choice(me, 'combine', combine, ('sum', 'max'))
        self.weights = _weights(me, weights)
        self.combine = combine
        self.gate = gate

    @property
    def weights_by_dominance(self) -> bool:  # type: ignore[override]
        """Whether the weights follow the dominance of the sample."""
        return self.weights in ('ratio', 'softmax')

    def forward(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor | None = None,
        feats: Mapping[str, Tensor] | None = None,
    ) -> FusedScores:
        """Compute (14) and (15); see the base class."""
        dominance = self.dominances(probs, targets)
        weights = fusion_weights(dominance, self.weights)
        return FusedScores(combine_scores(probs, weights, self.combine), weights, dominance)


def _weights(owner: str, weights: str | Sequence[float]) -> str | dict[str, float]:
    if isinstance(weights, str):
        check_choice(owner, 'weights', weights, ('ratio', 'softmax', 'average'))
        return weights
    fixed = [float(weight) for weight in weights]
    if len(fixed) != len(PATHWAYS) or min(fixed) < 0 or not 0 < sum(fixed) < math.inf:
        raise ValueError(
            f"{owner}: weights must be 'ratio', 'softmax', 'average' or two numbers (local, "
            f'global), each at least 0 and one above, got {weights}.'
        )
    return dict(zip(PATHWAYS, fixed, strict=True))
