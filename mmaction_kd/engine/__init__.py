"""What takes part in a run besides the model and the data."""

from mmaction_kd.engine.hooks import (
    DistillReportHook,
    DistillVisualizationHook,
    EpochSeedHook,
    TeacherHashHook,
)

__all__ = ['DistillReportHook', 'DistillVisualizationHook', 'EpochSeedHook', 'TeacherHashHook']
