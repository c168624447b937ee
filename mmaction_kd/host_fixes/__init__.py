"""Fixes for faults of MMAction2 and MMEngine with current libraries.

Each fix is guarded by its fault: without it, nothing is patched. Each file holds the fixes of one
kind, and :data:`FIXES` lists them all; ``python -m mmaction_kd.host_fixes.doctor`` prints their
outcome.
"""

from mmaction_kd.host_fixes import (
    activation_checkpointing,
    atomic_checkpoints,
    checkpoint_loader,
    config_packages,
    datasets,
    frame_rates,
    missing_modules,
    model_methods,
    numpy_two,
    pretrained_weights,
    several_ranks,
    training_on_cpu,
    video_readers,
)
from mmaction_kd.host_fixes.fix import Fix

FIXES: tuple[Fix, ...] = (
    *missing_modules.FIXES,
    *config_packages.FIXES,
    *checkpoint_loader.FIXES,
    *numpy_two.FIXES,
    *training_on_cpu.FIXES,
    *several_ranks.FIXES,
    *model_methods.FIXES,
    *pretrained_weights.FIXES,
    *atomic_checkpoints.FIXES,
    *video_readers.FIXES,
    *activation_checkpointing.FIXES,
    *frame_rates.FIXES,
    *datasets.FIXES,
)


def apply() -> None:
    """Apply every fix whose fault is there, each when its module is imported."""
    for fix in FIXES:
        fix.apply()


apply()
