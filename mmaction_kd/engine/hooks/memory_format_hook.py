"""Weights of convolutions with the channels last, as the fast kernels of tensor cores read them."""

from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from mmaction_kd.registry import HOOKS

FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}
"""By the dimensions of a weight: (C, C', H, W) and (C, C', T, H, W)."""


@HOOKS.register_module()
class MemoryFormatHook(Hook):
    """Lay all weights of four and five dimensions out in memory with the channels last.

    What is computed stays the same; a convolution lays its input out as its weight is, so clips and
    features follow by themselves. Reaches the whole model: both pathways, the student, and frozen
    teachers, which are no part of the module tree. In training and at test. Only weights that are
    not loaded start otherwise: random numbers are drawn in the order of the memory.

    The layout stays in this run: a checkpoint has weights of the usual layout, so that it can be
    read, viewed and converted as any other; a run may go on from it with or without the hook.
    """

    priority = 'VERY_LOW'  # after EMAHook has put its average into the checkpoint

    def before_run(self, runner: Runner) -> None:
        """Lay the weights out; what is loaded later is copied into them.

        DDP is built anew, around the same model: one that was built for another layout writes the
        gradients of its first step, or of all, in a wrong order (seen with torch 2.14).

        Args:
            runner: the run.
        """
        if isinstance(runner.model, DistributedDataParallel):
            model = runner.model.module._apply(channels_last)
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        else:
            runner.model._apply(channels_last)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the usual layout.

        Args:
            runner: not used.
            checkpoint: what will be saved.
        """
        weights = checkpoint['state_dict']
        for name, value in weights.items():
            weights[name] = value.contiguous()


def channels_last(x: Tensor) -> Tensor:
    """The same tensor with the channels last in memory.

    Args:
        x: any tensor.

    Returns:
        Of four dimensions in torch.channels_last, of five in torch.channels_last_3d, else as it is.
    """
    return x.contiguous(memory_format=FORMATS[x.dim()]) if x.dim() in FORMATS else x
