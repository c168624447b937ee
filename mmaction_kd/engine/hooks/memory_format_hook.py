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
    """Store all weights of four and five dimensions with the channels last.

    The results stay the same; convolutions adopt the layout of their weights, so clips and features
    follow. Applies to the entire model: both pathways, the student, and frozen teachers, which are
    no part of the module tree; in training and at test. Weights that are not loaded are initialised
    differently: random numbers are drawn in memory order.

    Checkpoints keep the usual layout, so that they can be read, viewed and converted as any other;
    a run can be resumed with or without the hook.
    """

    priority = 'VERY_LOW'  # after EMAHook has put its average into the checkpoint

    def before_run(self, runner: Runner) -> None:
        """Change the layout; weights that are loaded later are copied into it.

        DDP is built anew, around the same model: one that was built for another layout writes the
        gradients of its first step, or of all, in a wrong order (observed with torch 2.14).
        """
        if isinstance(runner.model, DistributedDataParallel):
            model = runner.model.module._apply(channels_last)
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), model)
        else:
            runner.model._apply(channels_last)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the usual layout."""
        weights = checkpoint['state_dict']
        for name, value in weights.items():
            weights[name] = value.contiguous()


def channels_last(x: Tensor) -> Tensor:
    """Return a 4D or 5D tensor with the channels last in memory; others unchanged."""
    return x.contiguous(memory_format=FORMATS[x.dim()]) if x.dim() in FORMATS else x
