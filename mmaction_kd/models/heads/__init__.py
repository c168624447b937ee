"""Classification head of VTN, and the heads that fuse two pathways."""

from mmaction_kd.models.heads.feature_fusion_head import FeatureFusionHead
from mmaction_kd.models.heads.feature_joins import BilinearJoin, ConcatJoin, Conv3dJoin
from mmaction_kd.models.heads.fusion_head import AdaptiveFusionHead, FusionHead
from mmaction_kd.models.heads.vtn_head import VTNHead

__all__ = [
    'AdaptiveFusionHead',
    'BilinearJoin',
    'ConcatJoin',
    'Conv3dJoin',
    'FeatureFusionHead',
    'FusionHead',
    'VTNHead',
]
