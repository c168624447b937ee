"""Join the last features of two pathways to one vector (MBD, Fig. 6).

Source: Feichtenhofer et al., "Convolutional Two-Stream Network Fusion for Video Action
Recognition", CVPR 2016: concatenation, bilinear and 3D convolutional fusion of two streams.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmaction_kd.models.heads.fusion_head import FeatKind
from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import MODELS


class FeatureJoin(nn.Module, metaclass=ABCMeta):
    """Base of the joins of a :class:`~mmaction_kd.models.heads.FeatureFusionHead`.

    A subclass takes ``feat_dims``, D (or C of a map) of each pathway, and sets ``out_dims``.
    """

    needs_feats: Mapping[str, FeatKind] = MappingProxyType({'local': 'vector', 'global': 'vector'})
    """The kind of feature of each pathway."""
    out_dims: int
    """Size of the joined vector."""

    @abstractmethod
    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """Join M features of each pathway, (M, D) or (M, C, T, H, W), to (M, ``out_dims``)."""


@MODELS.register_module()
class ConcatJoin(FeatureJoin):
    """``x = [x^l, x^g]``.

    Args:
        feat_dims: D of each pathway's feature.
    """

    @checked_options
    def __init__(self, feat_dims: Mapping[str, int]) -> None:
        super().__init__()
        self.out_dims = sum(feat_dims.values())

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, D_l), (M, D_g) -> (M, D_l + D_g)."""
        return torch.cat([local, global_], 1)


@MODELS.register_module()
class BilinearJoin(FeatureJoin):
    r"""Low-rank bilinear product of the two features.

    .. math:: x = U x^l \circ V x^g, \quad
        y = \mathrm{sign}(x) \sqrt{|x| + \epsilon}, \quad y / \|y\|

    Source: Kim et al., Hadamard Product for Low-rank Bilinear Pooling, 2017, for the outer product
    of Feichtenhofer et al., which has D_l D_g dimensions; the signed root and the norm are those of
    Lin et al., Bilinear CNN Models, 2015.

    Args:
        feat_dims: D of each pathway's feature.
        rank: dimensions of the product.
    """

    EPS = 1e-5  # without it the root has no gradient at 0

    @checked_options
    def __init__(self, feat_dims: Mapping[str, int], rank: Count = 512) -> None:
        super().__init__()
        self.out_dims = rank
        self.local = nn.Linear(feat_dims['local'], rank)
        self.global_ = nn.Linear(feat_dims['global'], rank)

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, D_l), (M, D_g) -> (M, rank)."""
        x = at_least_float32(self.local(local)) * at_least_float32(self.global_(global_))
        return F.normalize(x.sign() * (x.abs() + self.EPS).sqrt(), dim=1)


@MODELS.register_module()
class Conv3dJoin(FeatureJoin):
    """A 3 x 3 x 3 convolution over the local map with the global vector at each position.

    Source: Feichtenhofer et al. 2016, section 3.4. Differs from there: the global pathway has no
    spatial map, so its vector is repeated at each position.

    Args:
        feat_dims: C of the local map and D of the global feature.
        channels: C of the convolution.
    """

    needs_feats = MappingProxyType({'local': 'map', 'global': 'vector'})

    @checked_options
    def __init__(self, feat_dims: Mapping[str, int], channels: Count = 512) -> None:
        super().__init__()
        self.out_dims = channels
        self.conv = nn.Conv3d(sum(feat_dims.values()), channels, 3, padding=1)

    def forward(self, local: Tensor, global_: Tensor) -> Tensor:
        """(M, C, T, H, W), (M, D_g) -> (M, channels)."""
        repeated = global_[:, :, None, None, None].expand(-1, -1, *local.shape[2:])
        return self.conv(torch.cat([local, repeated], 1)).relu().mean((2, 3, 4))
