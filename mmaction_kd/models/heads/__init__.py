"""Heads."""

from mmaction_kd.models.heads.adaptive_fusion_head import AdaptiveFusionHead
from mmaction_kd.models.heads.feature_fusion_head import FeatureFusionHead
from mmaction_kd.models.heads.vtn_head import VTNHead

__all__ = ['AdaptiveFusionHead', 'FeatureFusionHead', 'VTNHead']
