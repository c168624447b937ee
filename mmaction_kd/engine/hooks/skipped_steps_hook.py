"""End an AMP run whose gradients stay NaN or infinite."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class SkippedStepsHook(Hook):
    """End a run whose gradient scaler skips every step.

    The scaler of AmpOptimWrapper skips steps with NaN or infinite gradients, which is normal for a
    few steps, until its scale is small enough. If gradients stay NaN, it skips all steps: losses
    are finite and look like those of a run that does not learn, and the weights never change. The
    hook counts the steps that are taken, which does not synchronise with the device.

    Without AMP it does nothing: there a NaN gradient makes the weights NaN, which the next step's
    scores show. Fused optimizers, which skip within their own kernel, are not detected.

    Args:
        max_skipped: allowed number of consecutive skipped steps; at least 1. A dynamic scale starts
            at 65536 and is halved by each: 50 of them leave 6e-11.

    Raises:
        TypeError, ValueError: ``max_skipped`` is not an integer, or out of range.
        FloatingPointError: in training, so many steps in a row were skipped.
    """

    @checked_options
    def __init__(self, max_skipped: Count = 50) -> None:
        self.max_skipped = max_skipped
        self.skipped = 0
        self.stepped = False
        self.watch: Any = None

    def before_train(self, runner: Runner) -> None:
        if isinstance(runner.optim_wrapper, AmpOptimWrapper):
            self.watch = runner.optim_wrapper.optimizer.register_step_post_hook(self._note)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Count the iteration, if it ends an accumulation of gradients."""
        if self.watch is None or not runner.optim_wrapper.should_update():
            return
        self.skipped = 0 if self.stepped else self.skipped + 1
        self.stepped = False
        if self.skipped >= self.max_skipped:
            raise FloatingPointError(
                'SkippedStepsHook: the gradients must be finite, got NaN or infinite ones in '
                f'{self.skipped} steps in a row, while the losses were finite (loss scale now '
                f'{runner.optim_wrapper.loss_scaler.get_scale():.3g}); the weights are those of '
                'before. Take optim_wrapper.dtype=bfloat16, train without --amp, or lower the '
                'learning rate and resume with --resume.'
            )

    def after_train(self, runner: Runner) -> None:
        if self.watch is not None:
            self.watch.remove()
            self.watch = None

    def _note(self, *_: Any) -> None:
        self.stepped = True
