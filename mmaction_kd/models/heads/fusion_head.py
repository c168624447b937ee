"""What MBDRecognizer asks of a head that fuses the scores of its two pathways."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmaction_kd.models.dominance import Dominance
from mmaction_kd.models.losses.batch_shapes import check_batch

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
        dominance: settings of :class:`~mmaction_kd.models.dominance.Dominance`.

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
        self.dominance = Dominance(num_classes, **(dominance or {}))
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
