"""What MBDRecognizer asks of a head that fuses its pathways, and adaptive fusion (MBD, 14 and 15).

Source: Kang et al., Sensors 2025, 25(22), 6849, equations (14)-(15).
"""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmaction_kd.models.checks import check_batch
from mmaction_kd.models.dominance import PATHWAYS, build_dominance
from mmaction_kd.options import Count, Ratio, checked_options
from mmaction_kd.registry import MODELS

FeatKind = Literal['vector', 'map']
"""A pathway's last feature, averaged to (N, V, D), or as the map (N, V, C, T, H, W)."""


class FusedScores(NamedTuple):
    """Output of a fusion head."""

    score: Tensor
    """(N, K), each row sums to 1."""
    weights: dict[str, Tensor]
    """For each pathway (N,); over the pathways they sum to 1."""
    dominance: dict[str, Tensor]
    """For each pathway (N,), in (0, 1]."""


class FusionHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads that fuse the scores of the pathways.

    A subclass implements :meth:`forward`. The other defaults are those of an untrained fusion of
    the scores alone:

    - one that needs features lists them in :attr:`needs_feats` and builds its layers, whose size
      the features decide, in :meth:`build_layers`;
    - one that is trained returns its loss in :meth:`loss`;
    - one that can answer from the local pathway alone sets :attr:`gate`.

    Args:
        num_classes: K.
        dominance: see :class:`~mmaction_kd.models.losses.DominanceDistillLoss`.

    Raises:
        ValueError: the dominance needs a label, or logits; a test video has only probabilities.
    """

    needs_feats: Mapping[str, FeatKind] = MappingProxyType({})
    """For each pathway the kind of its last feature that :meth:`forward` gets."""
    gate: float | None = None
    """Local dominance in [0, 1] at and above which a test uses the local scores alone."""
    weights_by_dominance = False
    """Whether the more dominant pathway has the larger weight in the fused score."""

    def __init__(self, num_classes: int, dominance: Mapping | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.dominance = build_dominance(dominance, num_classes)
        if self.dominance.needs_targets or self.dominance.space != 'prob':
            raise ValueError(
                f"{type(self).__name__}: dominance must have normalizer='classes', reduce='max' "
                f"and space='prob', got {dict(dominance or {})}; a test video has no label and its "
                'f is a mean of probabilities.'
            )

    @property
    def needs_one_class(self) -> str:
        """The setting that needs videos of one class in training; '' where none does."""
        return self.dominance.needs_one_class

    def build_layers(self, feat_dims: Mapping[str, int]) -> None:
        """Build the layers that depend on the size of the features; called once.

        Args:
            feat_dims: D (or C of a map) of each pathway in :attr:`needs_feats`.
        """

    @abstractmethod
    def forward(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor | None = None,
        feats: Mapping[str, Tensor] | None = None,
    ) -> FusedScores:
        """Fuse the scores.

        Args:
            probs: f of each pathway, (N, K), rows sum to 1.
            targets: class index of every sample, (N,); in training only, for the class centres of
                a dominance with ``labels='centers'``.
            feats: the features of :attr:`needs_feats`.

        Returns:
            Fused scores, and the weight and the dominance of each pathway.
        """

    def dominances(
        self, probs: Mapping[str, Tensor], targets: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute (2) for each pathway in ``probs``, (N,), without gradient."""
        return self.dominance({name: f.detach().double() for name, f in probs.items()}, targets)

    def local_alone(self, probs: Tensor) -> FusedScores:
        """Answer with the scores of the local pathway, for a video that passes the gate.

        Args:
            probs: f of the local pathway, (N, K), rows sum to 1.

        Returns:
            ``probs``, weights of 1 and 0, and the dominance of the local pathway.
        """
        dominance = self.dominances({'local': probs})
        ones = torch.ones_like(dominance['local'])
        return FusedScores(probs, {'local': ones, 'global': torch.zeros_like(ones)}, dominance)

    def loss(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor,
        feats: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the loss in training; by default there is none, only the fused accuracy.

        Args:
            probs: see :meth:`forward`.
            targets: class index of every sample, (N,).
            feats: see :meth:`forward`.

        Returns:
            ``top1_acc``, a ratio in [0, 1]; of a trained head also ``loss_cls``.

        Raises:
            ValueError: the scores are not (N, K), or a target is no class index.
        """
        check_batch(type(self).__name__, probs, targets, self.num_classes)
        with torch.no_grad():
            score = self(probs, targets, feats).score
        return dict(top1_acc=(score.argmax(1) == targets).float().mean())


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
        dominance: see the base class.
        combine: 'sum' (14) or 'max', see :func:`combine_scores`.
        gate: local dominance in [0, 1] at and above which a validation or test uses the local
            scores and skips the global pathway; see tools/analysis_tools/gate_threshold.py. None:
            both pathways run on every video. Not in the paper. Not for FSDP, where all ranks must
            run a pathway equally often.

    Raises:
        ValueError: the dominance needs labels at test, or the weights or the gate are out of range.
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        weights: Literal['ratio', 'softmax', 'average'] | Sequence[float] = 'ratio',
        dominance: Mapping | None = None,
        combine: Literal['sum', 'max'] = 'sum',
        gate: Ratio | None = None,
    ) -> None:
        super().__init__(num_classes, dominance)
        self.weights = _weights(type(self).__name__, weights)
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
        return weights
    fixed = [float(weight) for weight in weights]
    if len(fixed) != len(PATHWAYS) or min(fixed) < 0 or not 0 < sum(fixed) < math.inf:
        raise ValueError(
            f"{owner}: weights must be 'ratio', 'softmax', 'average' or two numbers (local, "
            f'global), each at least 0 and one above, got {weights}.'
        )
    return dict(zip(PATHWAYS, fixed, strict=True))
