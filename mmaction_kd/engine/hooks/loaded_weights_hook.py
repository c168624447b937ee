"""End a run that loads the checkpoint of another model."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn
from torch.utils.hooks import RemovableHandle

from mmaction_kd.host_fixes.loaded_weights import Needed, check_next_load
from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class LoadedWeightsHook(Hook):
    """Refuse a checkpoint that does not fit the model.

    A test needs every weight that the answers depend on, a resumed training every weight; a
    training that starts from one (``load_from``) needs at least one weight, since its head may have
    other classes. See :func:`~mmaction_kd.host_fixes.loaded_weights.check_next_load`.

    Raises:
        ValueError: while a checkpoint is loaded, it does not fit.
    """

    def __init__(self) -> None:
        self.check: RemovableHandle | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the model after it loads the weights, which happens right after this hook."""
        if not isinstance(runner, Runner):  # a strategy's model may be in parts on several ranks
            return
        training = isinstance(runner._train_loop, BaseLoop)  # one that is not built is a dict
        needed: Needed = 'answers' if not training else 'all' if runner._resume else 'any'
        path = str(runner._load_from or runner.work_dir)
        self._remove()
        self.check = check_next_load(_plain(runner.model), 'LoadedWeightsHook', path, needed)

    def _remove(self, *_: Any, **__: Any) -> None:
        """Remove the check from the model."""
        if self.check is not None:
            self.check.remove()
            self.check = None

    before_train = before_val = before_test = _remove


def _plain(model: Any) -> nn.Module:
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
