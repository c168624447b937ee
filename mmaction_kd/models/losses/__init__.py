"""One paper's equations a file."""

from mmaction_kd.models.losses.dominance_distill_loss import DominanceDistillLoss

__all__ = ['DominanceDistillLoss']
