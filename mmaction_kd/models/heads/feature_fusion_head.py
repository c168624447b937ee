"""Trained fusions of the pathways' last features: baselines of adaptive fusion (MBD, Fig. 6).

Source: Feichtenhofer et al., "Convolutional Two-Stream Network Fusion for Video Action
Recognition", CVPR 2016: concatenation, bilinear and 3D convolutional fusion of two streams.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn

from mmaction_kd.models.checks import check_batch
from mmaction_kd.models.heads.feature_joins import FeatureJoin
from mmaction_kd.models.heads.fusion_head import FeatKind, FusedScores, FusionHead, fusion_weights
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.options import Count, NotNegative, Ratio, checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class FeatureFusionHead(FusionHead):
    """Classify the joined last features of two pathways.

    ::

        S_i = mean over views of softmax(W dropout(join(x_iv^l, x_iv^g)))
        fused/loss_cls = cross-entropy of the mean logits over views

    ``join`` is a :class:`~mmaction_kd.models.heads.feature_joins.FeatureJoin`. The weights of (15)
    are reported from the pathways' own scores, but not used in S. The cross-entropy is of class
    indices; soft labels (Mixup, CutMix) are refused.

    Source: baselines of MBD, Fig. 6, whose settings the paper does not give.

    Args:
        num_classes: K.
        join: config of the join, such as ``dict(type='mmaction_kd.BilinearJoin', rank=512)``.
        dropout_ratio: probability of dropping a joined feature.
        detach: stop the gradient of this head's loss at the pathways.
        init_std: standard deviation of the classifier's initial weights.
        dominance: see the base class; for the reported weights.

    Raises:
        TypeError: ``join`` is no join.
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        join: Mapping | None = None,
        dropout_ratio: Ratio = 0.5,
        detach: bool = True,
        init_std: NotNegative = 0.01,
        dominance: Mapping | None = None,
    ) -> None:
        super().__init__(num_classes, dominance)
        me = type(self).__name__
        self.join_cfg = dict(join or dict(type='mmaction_kd.ConcatJoin'))
        kind = MODELS.get(str(self.join_cfg.get('type')))
        if not (isinstance(kind, type) and issubclass(kind, FeatureJoin)):
            raise TypeError(f'{me}: join must be the config of a FeatureJoin, got {join}.')
        self.needs_feats: Mapping[str, FeatKind] = dict(kind.needs_feats)  # a proxy has no copy
        self.detach = detach
        self.init_std = init_std
        self.dropout = nn.Dropout(dropout_ratio)

    @property
    def needs_one_class(self) -> str:
        """The cross-entropy."""
        return f'the cross-entropy of {type(self).__name__}'

    def build_layers(self, feat_dims: Mapping[str, int]) -> None:
        """Build the join and the classifier; see the base class."""
        self.join = MODELS.build(dict(self.join_cfg, feat_dims=feat_dims))
        self.fc_cls = nn.Linear(self.join.out_dims, self.num_classes)

    def init_weights(self) -> None:
        """Initialise the classifier with N(0, ``init_std``) weights and zero biases."""
        normal_init(self.fc_cls, std=self.init_std)

    def forward(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor | None = None,
        feats: Mapping[str, Tensor] | None = None,
    ) -> FusedScores:
        """Classify the joined features; see the base class.

        Raises:
            ValueError: the pathways have different numbers of views.
        """
        assert feats is not None
        dominance = self.dominances(probs, targets)
        score = self.logits(feats).softmax(2).mean(1)
        return FusedScores(score, fusion_weights(dominance), dominance)

    def loss(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor,
        feats: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Compute the cross-entropy of the fused logits; see the base class.

        Raises:
            ValueError: the scores are not (N, K), a target is no class index, or the pathways have
                different numbers of views.
        """
        check_batch(type(self).__name__, probs, targets, self.num_classes)
        assert feats is not None
        if self.detach:
            feats = {name: x.detach() for name, x in feats.items()}
        logits = self.logits(feats).mean(1)
        with torch.no_grad():
            self.dominances(probs, targets)  # updates the class centres of the dominance
            right = logits.argmax(1) == targets
        return dict(loss_cls=F.cross_entropy(logits, targets), top1_acc=right.float().mean())

    def logits(self, feats: Mapping[str, Tensor]) -> Tensor:
        """Compute the logits of each view from the joined features.

        Args:
            feats: see :meth:`forward`. One view of a pathway is used with each of the other's.

        Returns:
            (N, V, K).

        Raises:
            ValueError: the pathways have different numbers of views.
        """
        views = {name: x.shape[1] for name, x in feats.items()}
        count = max(views.values())
        if any(number not in (1, count) for number in views.values()):
            raise ValueError(
                f'{type(self).__name__}: both pathways must have the same number of views, got '
                f'{views}; use the same num_clips and crops in their pipelines.'
            )
        local, global_ = (
            feats[name].expand(-1, count, *feats[name].shape[2:]).flatten(0, 1)
            for name in ('local', 'global')
        )
        logits = self.fc_cls(self.dropout(self.join(local, global_)))  # (N V, K)
        return at_least_float32(logits).unflatten(0, (-1, count))
