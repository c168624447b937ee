"""Hooks."""

from mmaction_kd.engine.hooks.distill_report_hook import DistillReportHook
from mmaction_kd.engine.hooks.distill_visualization_hook import DistillVisualizationHook
from mmaction_kd.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmaction_kd.engine.hooks.teacher_hash_hook import TeacherHashHook

__all__ = ['DistillReportHook', 'DistillVisualizationHook', 'EpochSeedHook', 'TeacherHashHook']
