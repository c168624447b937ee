"""What takes part in a run besides the model and the data."""

from mmaction_kd.engine.hooks import (
    BadVideosHook,
    DistillReportHook,
    DistillVisualizationHook,
    EpochSeedHook,
    LoadedWeightsHook,
    MemoryFormatHook,
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
    'SkippedStepsHook',
    'TeacherHashHook',
]
