"""Mends for what today's MMAction2 and MMEngine break.

Each mend is guarded by its fault: where the host is whole, nothing is touched. Each file here holds
the mends of one kind, and :data:`MENDS` lists them all;
``python -m mmaction_kd.host_fixes.doctor`` prints what became of them.
"""

from mmaction_kd.host_fixes import (
    activation_checkpointing,
    atomic_checkpoints,
    checkpoint_loader,
    config_packages,
    frame_rates,
    missing_modules,
    model_methods,
    numpy_two,
    pretrained_weights,
    several_ranks,
    training_on_cpu,
    video_readers,
)
from mmaction_kd.host_fixes.mend import Mend

MENDS: tuple[Mend, ...] = (
    *missing_modules.MENDS,
    *config_packages.MENDS,
    *checkpoint_loader.MENDS,
    *numpy_two.MENDS,
    *training_on_cpu.MENDS,
    *several_ranks.MENDS,
    *model_methods.MENDS,
    *pretrained_weights.MENDS,
    *atomic_checkpoints.MENDS,
    *video_readers.MENDS,
    *activation_checkpointing.MENDS,
    *frame_rates.MENDS,
)


def apply() -> None:
    """Apply every mend whose fault is there, each when its module is imported."""
    for mend in MENDS:
        mend.apply()


apply()
