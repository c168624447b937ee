"""Activation checkpointing that changes no gradient, whichever modules are named."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of


def _is_reentrant() -> bool:
    source = source_of('mmengine.runner.activation_checkpointing')
    return 'return checkpoint(forward, *args)' in source


def _without_reentrance(activation_checkpointing: Any) -> None:
    activation_checkpointing.wrap_forward = checkpointed


def checkpointed(forward: Callable) -> Callable:
    """Recompute a module's activations in the backward pass.

    Reentrant checkpointing, the default of torch, runs the module without a graph. So what a hook
    records inside has no gradient, and neither has a module whose inputs need none, such as a whole
    backbone. It also takes no keyword arguments, which MMAction2 gives its heads.

    Args:
        forward: of a module, bound.

    Returns:
        A function with the same arguments and results.
    """
    bound = inspect.unwrap(forward, stop=lambda f: hasattr(f, '__self__'))  # may be wrapped twice
    module = bound.__self__  # type: ignore[attr-defined]
    if getattr(module, 'inplace', False):  # it overwrites the input that a second run would need
        return forward

    @functools.wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        import torch
        from torch.utils.checkpoint import checkpoint

        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        run = functools.partial(forward, **kwargs)
        if torch.compiler.is_compiling():  # the compiler updates each buffer once
            return checkpoint(run, *args, use_reentrant=False)
        return checkpoint(
            run,
            *args,
            use_reentrant=False,
            context_fn=lambda: (contextlib.nullcontext(), _BuffersOf(module)),
        )

    return wrapper


class _BuffersOf:
    """Restore the buffers of a module for its second run, and discard how that run updates them.

    Otherwise BatchNorm would count each batch twice, and what depends on a running statistic would
    be recomputed with another one.
    """

    def __init__(self, module: Any) -> None:
        self._owners = [owner for owner in module.modules() if owner._buffers]
        self._before = [_cloned(owner._buffers) for owner in self._owners]
        self._now: list[dict] = []

    def __enter__(self) -> None:
        self._now = [dict(owner._buffers) for owner in self._owners]
        for owner, before in zip(self._owners, self._before, strict=True):
            owner._buffers.update(_cloned(before))

    def __exit__(self, *_: object) -> None:
        for owner, now in zip(self._owners, self._now, strict=True):
            owner._buffers.update(now)


def _cloned(buffers: dict) -> dict:
    return {name: None if x is None else x.detach().clone() for name, x in buffers.items()}


FIXES = (
    Fix(
        name='activation_checkpointing: hooks get no gradient, BatchNorm counts a batch twice',
        hosts=('mmengine', 'torch'),
        module='mmengine.runner.activation_checkpointing',
        fault=_is_reentrant,
        patch=_without_reentrance,
        remedy='train without activation_checkpointing',
    ),
)
