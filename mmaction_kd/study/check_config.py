"""What a training would stop at, found in seconds and before the first of several begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from mmaction.models.heads import BaseHead
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, EVALUATOR, HOOKS, METRICS, MODELS, DefaultScope

from mmaction_kd.datasets.annotation_file import check_config_annotations

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class ConfigCheck:
    """Build what configs name, and let it go again.

    Each data set reads its annotations and makes one sample; each model is built, without weights;
    each head's loss is computed of scores of its classes; hooks, metrics and optimizer are built.
    What several configs have in common is checked once.
    """

    def __init__(self) -> None:
        self._done: set[str] = set()

    def check(
        self, cfg: Config, pending: Iterable[str] = (), loaders: Iterable[str] = LOADERS
    ) -> None:
        """Check a config.

        Args:
            cfg: of a training, as tools/train.py takes it.
            pending: what is not there yet, such as the folder of a run that comes before; a part
                of the config that names it is left out.
            loaders: those whose data sets are checked.

        Raises:
            ValueError: a part is wrong; it is named, with its own error.
        """
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'mmengine'):
            for part, settings, build in _parts(cfg, loaders):
                text = f'{part.removesuffix("_dataloader")} {settings!r}'
                if text in self._done or any(place in text for place in pending):
                    continue
                try:
                    build()
                except Exception as error:
                    raise ValueError(f'{part}: {type(error).__name__}: {error}') from error
                self._done.add(text)


def _parts(cfg: Config, loaders: Iterable[str]) -> Iterator[tuple[str, Any, Callable]]:
    """Name, config and check of each part."""
    for name in loaders:
        if (cfg.get(name) or {}).get('dataset') is not None:
            yield name, cfg[name].dataset, lambda name=name: _check_data(cfg, name)
    yield 'hooks', [cfg.get('default_hooks'), cfg.get('custom_hooks')], lambda: _check_hooks(cfg)
    for name in ('val_evaluator', 'test_evaluator'):
        if cfg.get(name) is not None:
            yield name, cfg[name], lambda name=name: _build_evaluator(cfg[name])
    yield 'model', [cfg.model, cfg.get('optim_wrapper')], lambda: _check_model(cfg)


def _check_data(cfg: Config, loader: str) -> None:
    check_config_annotations(cfg, loader)
    dataset = DATASETS.build(cfg[loader].dataset)
    if hasattr(dataset, 'full_init'):  # as MMEngine does
        dataset.full_init()
    dataset[0]


def _check_hooks(cfg: Config) -> None:
    default = {'checkpoint': dict(type='CheckpointHook'), **(cfg.get('default_hooks') or {})}
    hooks = [*default.values(), *(cfg.get('custom_hooks') or ())]
    built = [HOOKS.build(hook) if isinstance(hook, Mapping) else hook for hook in hooks if hook]
    savers = [hook for hook in built if isinstance(hook, CheckpointHook)]
    if not any(hook.interval > 0 or hook.save_last for hook in savers):
        raise ValueError(
            'a training must leave its last checkpoint, got no CheckpointHook with an interval or '
            'save_last=True; set one in default_hooks.checkpoint.'
        )


def _build_evaluator(evaluator: Any) -> None:
    if isinstance(evaluator, Mapping) and 'metrics' in evaluator:
        EVALUATOR.build(evaluator)
        return
    for metric in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        METRICS.build(metric)


def _check_model(cfg: Config) -> None:
    model = MODELS.build(cfg.model)
    if cfg.get('optim_wrapper') is not None:
        build_optim_wrapper(model, cfg.optim_wrapper)
    for name, module in model.named_modules():
        if isinstance(module, BaseHead):
            check_head_loss(name, module)


def check_head_loss(name: str, head: BaseHead) -> None:
    """Refuse a head whose loss is of another number of classes.

    Args:
        name: of the head.
        head: of MMAction2; one that computes its losses by a method of its own is left alone.

    Raises:
        ValueError: the loss does not take scores of each class.
    """
    if not head.num_classes or type(head).loss_by_feat is not BaseHead.loss_by_feat:
        return
    labels = torch.arange(max(2, head.num_classes)) % head.num_classes
    given = torch.eye(head.num_classes)[labels] if head.multi_class else labels
    samples = [ActionDataSample().set_gt_label(label) for label in given]
    try:
        head.loss_by_feat(torch.zeros(len(labels), head.num_classes), samples)
    except Exception as error:
        raise ValueError(
            f'the loss of {name} ({type(head.loss_cls).__name__}) must take scores of the '
            f'{head.num_classes} classes of its head, got {type(error).__name__}: {error}; see '
            'whether its settings are of as many classes.'
        ) from error
