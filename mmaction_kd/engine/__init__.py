"""What takes part in a run besides the model and the data."""

from mmaction_kd.engine.hooks import EpochSeedHook, TeacherHashHook

__all__ = ['EpochSeedHook', 'TeacherHashHook']
