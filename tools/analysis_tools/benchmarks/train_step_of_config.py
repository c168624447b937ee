"""The training step of a config, as a Runner does it, without the checkpoints it starts from."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS

from mmaction_kd.registry import MODELS
from mmaction_kd.utils.command_line import add_cfg_options


def add_config_arguments(parser: argparse.ArgumentParser, default: str) -> None:
    """Which config, and what is other in it."""
    parser.add_argument('--config', default=default, help='of the model and its training')
    add_cfg_options(parser)


def read_config(args: argparse.Namespace) -> Config:
    """The config, its options, and no checkpoints: what a step costs is not in the weights.

    Args:
        args: of :func:`add_config_arguments`.

    Returns:
        The config.
    """
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    _without_checkpoints(cfg.model)
    return cfg


def build_model(cfg: Config, device: str) -> BaseModel:
    """The config's model with the same random weights each time, in train mode.

    Args:
        cfg: of :func:`read_config`.
        device: where to.

    Returns:
        The model.
    """
    torch.manual_seed(0)
    return MODELS.build(cfg.model).to(device).train()


def optimizer_of(model: BaseModel, amp: bool) -> OptimWrapper:
    """SGD with momentum, as MMEngine wraps it.

    Args:
        model: what to train.
        amp: whether under autocast to bfloat16.

    Returns:
        What ``model.train_step`` takes.
    """
    kind: dict[str, Any] = dict(type='OptimWrapper')
    if amp:
        kind = dict(type='AmpOptimWrapper', dtype='bfloat16')
    sgd = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    return OPTIM_WRAPPERS.build(dict(kind, optimizer=sgd))


def _without_checkpoints(cfg: Any) -> None:
    if isinstance(cfg, ConfigDict):
        for key, value in cfg.items():
            if key in ('checkpoint', 'pretrained') and isinstance(value, str):
                cfg[key] = None
            else:
                _without_checkpoints(value)
