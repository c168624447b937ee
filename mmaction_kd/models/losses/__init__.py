"""Distillation losses, the equations of one paper a file."""

from mmaction_kd.models.losses.dominance_distill_loss import DominanceDistillLoss
from mmaction_kd.models.losses.hybrid_score import HybridScore, ResponsibleTeacher
from mmaction_kd.models.losses.subset_distill_loss import SubsetDistillLoss

__all__ = ['DominanceDistillLoss', 'HybridScore', 'ResponsibleTeacher', 'SubsetDistillLoss']
