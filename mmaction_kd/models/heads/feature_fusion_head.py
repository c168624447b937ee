"""Trained fusions of the pathways' last features: baselines of adaptive fusion (MBD, Fig. 6).

Source: Feichtenhofer et al., "Convolutional Two-Stream Network Fusion for Video Action
Recognition", CVPR 2016: concatenation, bilinear and 3D convolutional fusion of two streams.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.model.weight_init import normal_init
from torch import Tensor, nn

from mmaction_kd.models.heads.adaptive_fusion_head import AdaptiveFusionHead, FusedScores
from mmaction_kd.models.losses.batch_shapes import check_batch
from mmaction_kd.models.precision import at_least_float32
from mmaction_kd.options import check_choice, check_range, checked_options
from mmaction_kd.registry import MODELS


class ConcatFusion(nn.Module):
    """``x = [x^l, x^g]``.

    Args:
        dims: D of each pathway's feature.
    """

    def __init__(self, dims: Mapping[str, int]) -> None:
        super().__init__()
        self.out_dims = dims['local'] + dims['global']

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, D_l), (M, D_g) -> (M, D_l + D_g)."""
        return torch.cat([local, global_], 1)


class BilinearFusion(nn.Module):
    r"""Every product of two features, by two maps of a low rank.

    .. math:: x = U x^l \circ V x^g, \quad
        y = \mathrm{sign}(x) \sqrt{|x| + \epsilon}, \quad y / \|y\|

    Source: Kim et al., Hadamard Product for Low-rank Bilinear Pooling, 2017, for the outer product
    of Feichtenhofer et al., which has D_l D_g dimensions; the signed root and the norm are those of
    Lin et al., Bilinear CNN Models, 2015.

    Args:
        dims: D of each pathway's feature.
        rank: dimensions of the product.
    """

    EPS = 1e-5  # without it the root has no gradient at 0

    def __init__(self, dims: Mapping[str, int], rank: int) -> None:
        super().__init__()
        self.out_dims = rank
        self.local = nn.Linear(dims['local'], rank)
        self.global_ = nn.Linear(dims['global'], rank)

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, D_l), (M, D_g) -> (M, rank)."""
        x = at_least_float32(self.local(local)) * at_least_float32(self.global_(global_))
        return F.normalize(x.sign() * (x.abs() + self.EPS).sqrt(), dim=1)


class Conv3dFusion(nn.Module):
    """A 3 x 3 x 3 convolution over the local map with the global vector at each of its places.

    Source: Feichtenhofer et al. 2016, section 3.4. Differs from there: the global pathway has no
    map of places, so that its vector stands at each.

    Args:
        dims: D of each pathway's feature.
        channels: C of the convolution.
    """

    def __init__(self, dims: Mapping[str, int], channels: int) -> None:
        super().__init__()
        self.out_dims = channels
        self.conv = nn.Conv3d(dims['local'] + dims['global'], channels, 3, padding=1)

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, D_l, T, H, W), (M, D_g) -> (M, channels)."""
        everywhere = global_[:, :, None, None, None].expand(-1, -1, *local.shape[2:])
        return self.conv(torch.cat([local, everywhere], 1)).relu().mean((2, 3, 4))


@MODELS.register_module()
class FeatureFusionHead(BaseModule):
    """Classify what two pathways see, by a classifier on both last features.

    ::

        S_i = mean over views of softmax(W dropout(join(x_iv^l, x_iv^g)))
        fused/loss_cls = cross-entropy of the mean logits over views

    ``join`` is :class:`ConcatFusion`, :class:`BilinearFusion` or :class:`Conv3dFusion`. The
    weights of equation (15) are still told, from the pathways' own scores, but have no part in S.
    The cross-entropy is of class indices; soft labels (Mixup, CutMix) are refused.

    Source: baselines of MBD, Fig. 6, whose settings the paper does not give.

    Args:
        num_classes: K.
        fusion: 'concat', 'bilinear' or 'conv3d'; the last needs a local pathway with a feature map.
        rank: of the bilinear fusion.
        channels: of the 3D convolution.
        dropout_ratio: probability of dropping a joined feature.
        detach: the pathways learn as if this head were not there. False: from its loss, too.
        init_std: standard deviation of the classifier's initial weights.
        dominance: settings of :class:`~mmaction_kd.models.dominance.Dominance`, for the
            weights that are told.

    Raises:
        TypeError: a setting is of another type than the signature says.
        ValueError: a setting is not among its choices or out of range.
    """

    gate: float | None = None
    """None: it needs both pathways' features of every video; see AdaptiveFusionHead."""

    @checked_options
    def __init__(
        self,
        num_classes: int,
        fusion: str = 'concat',
        rank: int = 512,
        channels: int = 512,
        dropout_ratio: float = 0.5,
        detach: bool = True,
        init_std: float = 0.01,
        dominance: Mapping | None = None,
    ) -> None:
        super().__init__()
        me = type(self).__name__
        check_choice(me, 'fusion', fusion, ('concat', 'bilinear', 'conv3d'))
        check_range(me, 'rank', rank, 1)
        check_range(me, 'channels', channels, 1)
        check_range(me, 'dropout_ratio', dropout_ratio, 0, 1)
        check_range(me, 'init_std', init_std, 0)
        self.num_classes = num_classes
        self.fusion = fusion
        self.rank = rank
        self.channels = channels
        self.detach = detach
        self.init_std = init_std
        self.dropout = nn.Dropout(dropout_ratio)
        self.adaptive = AdaptiveFusionHead(num_classes, dominance=dominance)

    @property
    def needs_feats(self) -> dict[str, str]:
        """For each pathway what is to be fused: its last feature as a 'vector' or as a 'map'."""
        return {'local': 'map' if self.fusion == 'conv3d' else 'vector', 'global': 'vector'}

    @property
    def needs_one_class(self) -> str:
        """What each training video must have one class for."""
        return f"the cross-entropy of fusion='{self.fusion}'"

    def make_layers(self, dims: Mapping[str, int]) -> None:
        """Make what depends on the size of the features, before anything else is done.

        Args:
            dims: D of each pathway's last feature.
        """
        if self.fusion == 'concat':
            self.join: nn.Module = ConcatFusion(dims)
        elif self.fusion == 'bilinear':
            self.join = BilinearFusion(dims, self.rank)
        else:
            self.join = Conv3dFusion(dims, self.channels)
        self.fc_cls = nn.Linear(self.join.out_dims, self.num_classes)  # type: ignore[arg-type]

    def init_weights(self) -> None:
        """N(0, ``init_std``) weights and zero biases in the classifier."""
        normal_init(self.fc_cls, std=self.init_std)

    def forward(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor | None = None,
        feats: Mapping[str, Tensor] | None = None,
    ) -> FusedScores:
        """Scores of the joined features.

        Args:
            probs: scores of each pathway, (N, K), rows sum to 1.
            targets: see :meth:`AdaptiveFusionHead.forward`.
            feats: what :attr:`needs_feats` says of each pathway, (N, V, D) or (N, V, C, T, H, W).

        Returns:
            Fused scores; the weights and dominances that adaptive fusion would have.

        Raises:
            ValueError: the pathways have different numbers of views.
        """
        assert feats is not None
        score = self.logits(feats).softmax(2).mean(1)
        return self.adaptive(probs, targets)._replace(score=score)

    def loss(
        self,
        probs: Mapping[str, Tensor],
        targets: Tensor,
        feats: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Cross-entropy of the fused logits.

        Args:
            probs: see :meth:`forward`.
            targets: class index of every sample, (N,).
            feats: see :meth:`forward`.

        Returns:
            Scalars: ``loss_cls``, and ``top1_acc``, a ratio in [0, 1].

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
            self.adaptive(probs, targets)  # class centres of the dominance move
            right = logits.argmax(1) == targets
        return dict(loss_cls=F.cross_entropy(logits, targets), top1_acc=right.float().mean())

    def logits(self, feats: Mapping[str, Tensor]) -> Tensor:
        """Joined features of each view -> logits.

        Args:
            feats: see :meth:`forward`. A pathway with one view goes with each of the other's.

        Returns:
            (N, V, K).

        Raises:
            ValueError: the pathways have different numbers of views.
        """
        views = {name: x.shape[1] for name, x in feats.items()}
        count = max(views.values())
        if any(number not in (1, count) for number in views.values()):
            raise ValueError(
                f'{type(self).__name__}: both pathways must have as many views of a video, got '
                f'{views}; set num_clips and the crops of their pipelines alike.'
            )
        local, global_ = (
            feats[name].expand(-1, count, *feats[name].shape[2:]).flatten(0, 1)
            for name in ('local', 'global')
        )
        logits = self.fc_cls(self.dropout(self.join(local, global_)))  # (N V, K)
        return at_least_float32(logits).unflatten(0, (-1, count))
