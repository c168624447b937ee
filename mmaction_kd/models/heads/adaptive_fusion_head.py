"""Adaptive fusion: at test the surer pathway counts more (MBD, equations 14 and 15).

Source: Kang et al., Sensors 2025, 25(22), 6849, equations (14)-(15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmaction_kd.models.dominance import PATHWAYS, Dominance
from mmaction_kd.models.losses.batch_shapes import check_batch
from mmaction_kd.options import check_choice, checked_options
from mmaction_kd.registry import MODELS


class FusedScores(NamedTuple):
    """What a fusion head returns."""

    score: Tensor
    """(N, K), each row sums to 1."""
    weights: dict[str, Tensor]
    """For each pathway (N,); over the pathways they sum to 1."""
    dominance: dict[str, Tensor]
    """For each pathway (N,), in (0, 1]."""


def fusion_weights(
    dominance: Mapping[str, Tensor], kind: str | Mapping[str, float] = 'ratio'
) -> dict[str, Tensor]:
    """Equation (15): ``w^h = D^h / (D^l + D^g)``.

    Args:
        dominance: D of each pathway, (N,).
        kind: 'ratio' (15); 'softmax' of the D's, all but indistinguishable from averaging as D is
            near 1/K; 'average', a baseline; or one fixed number for each pathway, another; they are
            divided by their sum.

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
    """Equation (14): ``S_i = Σ_h w_i^h f_i^h``; or the maximum over h, made to sum to 1 again.

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
class AdaptiveFusionHead(BaseModule):
    """Fuse the scores of the pathways, ``S_i = w_i^l f_i^l + w_i^g f_i^g``.

    f is the mean over views of a pathway's softmax; w comes from its dominance (no true label
    enters). With the default dominance w lies in [0.2, 0.8]. Nothing is trained.

    Source: MBD, equations (14)-(15). The other ``weights`` and ``combine`` are baselines of Fig. 6.

    Args:
        num_classes: K.
        weights: 'ratio' (15), 'softmax' or 'average', see :func:`fusion_weights`; or two fixed
            numbers, (local, global).
        dominance: settings of :class:`~mmaction_kd.models.dominance.Dominance`.
        combine: 'sum' (14) or 'max', see :func:`combine_scores`.
        gate: dominance of the local pathway, in [0, 1], from which on its scores alone are the
            answer of a validation or test, so that the global pathway need not run; see
            tools/analysis_tools/gate_threshold.py. None: both pathways see every video. Not in the
            paper. Not for FSDP, where all ranks must run a pathway equally often.

    Raises:
        TypeError: a setting is of another type than the signature says.
        ValueError: a setting is not among its choices or out of range, or needs what is not there
            at test.
    """

    needs_feats: Mapping[str, str] = MappingProxyType({})
    """What is to be fused beside the scores: nothing; see FeatureFusionHead."""

    @checked_options
    def __init__(
        self,
        num_classes: int,
        weights: str | Sequence[float] = 'ratio',
        dominance: Mapping | None = None,
        combine: str = 'sum',
        gate: float | None = None,
    ) -> None:
        super().__init__()
        me = type(self).__name__
        self.num_classes = num_classes
        if gate is not None and not 0 <= gate <= 1:
            raise ValueError(
                f'{me}: gate must be a dominance, in [0, 1], or None, got {gate}; '
                'tools/analysis_tools/gate_threshold.py finds one.'
            )
        check_choice(me, 'combine', combine, ('sum', 'max'))
        self.weights = _weights(me, weights)
        self.combine = combine
        self.gate = gate
        self.dominance = Dominance(num_classes, **(dominance or {}))
        if self.dominance.needs_targets or self.dominance.space != 'prob':
            raise ValueError(
                f"{me}: dominance must have normalizer='classes', reduce='max' and space='prob', "
                f'got {dict(dominance or {})}; a test video has no label and its f is a mean of '
                'probabilities.'
            )

    @property
    def needs_one_class(self) -> str:
        """By which setting each video must have one class in training; '' where it need not."""
        return self.dominance.needs_one_class

    def forward(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor | None = None,
        feats: Mapping[str, Tensor] | None = None,
    ) -> FusedScores:
        """Equations (14) and (15).

        Args:
            probs: f of each pathway, (N, K), rows sum to 1.
            targets: class index of every sample, (N,); in training only, for the class centres of a
                dominance with ``labels='centers'``.
            feats: not used.

        Returns:
            Fused scores, weights and dominances.
        """
        dominance = self.dominance(
            {name: f.detach().double() for name, f in probs.items()}, targets
        )
        weights = fusion_weights(dominance, self.weights)
        return FusedScores(combine_scores(probs, weights, self.combine), weights, dominance)

    def local_alone(self, probs: Tensor) -> FusedScores:
        """The local pathway's scores as the answer: what a video gets that the gate holds back.

        Args:
            probs: f of the local pathway, (N, K), rows sum to 1.

        Returns:
            ``probs``, weights of 1 and 0, and the dominance of the local pathway.
        """
        dominance = self.dominance({'local': probs.detach().double()})
        ones = torch.ones_like(dominance['local'])
        return FusedScores(probs, {'local': ones, 'global': torch.zeros_like(ones)}, dominance)

    @torch.no_grad()
    def loss(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor,
        feats: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """What is told of the fused scores in training; there is nothing to train.

        Args:
            probs: see :meth:`forward`.
            targets: class index of every sample, (N,).
            feats: not used.

        Returns:
            ``top1_acc``, a ratio in [0, 1].

        Raises:
            ValueError: the scores are not (N, K), or a target is no class index.
        """
        check_batch(type(self).__name__, probs, targets, self.num_classes)
        score = self(probs, targets).score
        return dict(top1_acc=(score.argmax(1) == targets).float().mean())


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
