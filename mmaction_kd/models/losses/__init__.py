"""Distillation losses, the equations of one paper a file."""

from mmaction_kd.models.losses.dominance_distill_loss import DominanceDistillLoss
from mmaction_kd.models.losses.hybrid_score_loss import HybridScoreLoss
from mmaction_kd.models.losses.subset_distill_loss import BSKDLoss

__all__ = ['BSKDLoss', 'DominanceDistillLoss', 'HybridScoreLoss']
