"""Models that train a student with teachers."""

from mmaction_kd.models.distillers.dual_teacher_distiller import DualTeacherDistiller

__all__ = ['DualTeacherDistiller']
