"""Hooks, and the loop that stores the outputs of teachers: what runs beside model and data."""

from mmaction_kd.engine.hooks import (
    BadVideosHook,
    DistillReportHook,
    DistillVisualizationHook,
    EpochSeedHook,
    LoadedWeightsHook,
    MemoryFormatHook,
    SafeCheckpointHook,
    SkippedStepsHook,
    TeacherHashHook,
)

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
