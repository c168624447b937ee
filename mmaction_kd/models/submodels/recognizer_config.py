"""Build any MMAction2 recognizer from a config or its path, and load its checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader

from mmaction_kd.host_fixes.last_checkpoint import find_last_checkpoint
from mmaction_kd.host_fixes.loaded_weights import check_next_load
from mmaction_kd.registry import MODELS, SCOPE

RecognizerConfig = str | Mapping

NO_WEIGHTS = dict(pretrained=None, pretrained_type=None, pretrained2d=False, clip_pretrained=False)
"""Settings by which MMAction2's backbones download weights, with the values that prevent it."""


def split_recognizer_config(cfg: RecognizerConfig) -> tuple[ConfigDict, str | None]:
    """Resolve the three ways of naming a recognizer.

    - ``dict(type='Recognizer3D', backbone=..., cls_head=...)``, as under ``model`` in a config;
    - ``'mmaction::recognition/tsn/....py'`` or the path of a config file: its ``model``;
    - ``dict(config=<either path>, cls_head=dict(num_classes=51))``: its ``model``, with changes.

    A dict may also have ``checkpoint``, the initial weights: a path, a URL, or the work dir of a
    training, for its last checkpoint.

    Args:
        cfg: one of the above.

    Returns:
        The config to build from, and the checkpoint or None.

    Raises:
        ValueError: neither a type nor a config is named.
    """
    if isinstance(cfg, str):
        cfg = dict(config=cfg)
    changes = ConfigDict(copy.deepcopy(dict(cfg)))  # the caller's config is not changed
    checkpoint = changes.pop('checkpoint', None)
    path = changes.pop('config', None)
    if path is not None:
        zoo = get_config(path) if '::' in path else Config.fromfile(path)
        merged = Config(dict(model=zoo.model))
        merged.merge_from_dict(dict(model=changes))
        changes = merged.model
    if 'type' not in changes:
        raise ValueError(
            "A recognizer must be named by type=, config= or a config's path, got keys "
            f'{sorted(changes)}; see split_recognizer_config.'
        )
    if checkpoint is not None:
        _drop_other_weights(changes)
    return changes, checkpoint


def _drop_other_weights(part: Any) -> None:
    """Disable other pre-trained weights, such as ImageNet's: the checkpoint holds all."""
    if isinstance(part, dict):
        for key, nothing in NO_WEIGHTS.items():
            if part.get(key, nothing) != nothing:
                part[key] = nothing
        if _is_pretrained(part.get('init_cfg')):
            part['init_cfg'] = None
        if str(part.get('type')).startswith('torchvision.') and part.get('weights') is not None:
            part['weights'] = None
        part = list(part.values())
    for inner in part if isinstance(part, (list, tuple)) else ():
        _drop_other_weights(inner)


def _is_pretrained(init_cfg: Any) -> bool:
    steps = init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]
    return any(isinstance(step, Mapping) and step.get('type') == 'Pretrained' for step in steps)


def build_recognizer(cfg: RecognizerConfig) -> tuple[BaseModel, str | None]:
    """Build a recognizer of any scope, MMAction2's where none is named.

    Args:
        cfg: see :func:`split_recognizer_config`.

    Returns:
        The recognizer, not yet loaded, and its checkpoint or None; see :func:`load_recognizer`.
    """
    changes, checkpoint = split_recognizer_config(cfg)
    scope = DefaultScope.get_current_instance()
    if scope is None or scope.scope_name in ('mmengine', SCOPE):
        changes.setdefault('_scope_', 'mmaction')
    recognizer = MODELS.build(changes)
    if checkpoint is not None:  # some of these are on by default
        for module in recognizer.modules():
            for key, nothing in NO_WEIGHTS.items():
                if getattr(module, key, nothing) != nothing:
                    setattr(module, key, nothing)
            if _is_pretrained(getattr(module, 'init_cfg', None)):
                module.init_cfg = None
    return recognizer, checkpoint


def load_recognizer(
    recognizer: BaseModel, checkpoint: str, name: str = 'recognizer', complete: bool = False
) -> None:
    """Load a checkpoint into a recognizer, without weights of another shape (other classes).

    Args:
        recognizer: the model.
        checkpoint: path or URL, as for ``load_from``; or the work dir of a training.
        name: of the recognizer in messages.
        complete: refuse a checkpoint that lacks parameters, for a model that is not trained.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the checkpoint and the model have no backbone weight in common, or with
            ``complete`` not all.
    """
    try:
        checkpoint = _checkpoint_of(checkpoint)
        loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{name}: there is no checkpoint {checkpoint}; train it first (the config's header "
            'has the command), give another path, or set checkpoint=None to train from scratch.'
        ) from error
    weights = loaded.get('state_dict', loaded)
    own = recognizer.state_dict()
    fitting = {k: v for k, v in weights.items() if k in own and v.shape == own[k].shape}
    if not any(key.startswith('backbone.') for key in fitting):
        theirs, ours = next(iter(weights), None), next(k for k in own if k.startswith('backbone.'))
        raise ValueError(
            f"{name}: checkpoint {checkpoint} has no weight of this model's backbone: its keys "
            f"are like '{theirs}', the model's like '{ours}'; name a checkpoint of the same "
            'model, or convert it with tools/model_converters.'
        )
    with check_next_load(recognizer, name, checkpoint, 'all' if complete else 'any'):
        recognizer.load_state_dict(fitting, strict=False)
    left = sorted(own.keys() - fitting.keys())
    logger = MMLogger.get_current_instance()
    logger.info(f'{name}: {len(fitting)} of {len(own)} weights from {checkpoint}.')
    if left:
        logger.warning(f'{name}: not in the checkpoint, or of another shape: {", ".join(left)}')


def _checkpoint_of(place: str) -> str:
    """Return the last checkpoint of a work dir, or the path if it is no folder."""
    if not Path(place).is_dir():
        return place
    found = find_last_checkpoint(place)
    if found is None:
        raise FileNotFoundError(place)
    return found
