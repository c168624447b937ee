"""Hooks."""

from mmaction_kd.engine.hooks.epoch_seed_hook import EpochSeedHook
from mmaction_kd.engine.hooks.teacher_hash_hook import TeacherHashHook

__all__ = ['EpochSeedHook', 'TeacherHashHook']
