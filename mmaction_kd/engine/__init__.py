"""Hooks, and the loop that stores the outputs of teachers: what runs beside model and data."""

from mmaction_kd.engine.hooks.bad_videos_hook import BadVideosHook
from mmaction_kd.engine.hooks.distill_report_hook import DistillReportHook
from mmaction_kd.engine.hooks.distill_visualization_hook import DistillVisualizationHook
from mmaction_kd.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmaction_kd.engine.hooks.loaded_weights_hook import LoadedWeightsHook
from mmaction_kd.engine.hooks.memory_format_hook import MemoryFormatHook
from mmaction_kd.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmaction_kd.engine.hooks.skipped_steps_hook import SkippedStepsHook
from mmaction_kd.engine.hooks.teacher_hash_hook import TeacherHashHook

__all__ = [
    'BadVideosHook',
    'DistillReportHook',
    'DistillVisualizationHook',
    'EpochSeedHook',
    'LoadedWeightsHook',
    'MemoryFormatHook',
    'SafeCheckpointHook',
    'SkippedStepsHook',
    'TeacherHashHook',
]
