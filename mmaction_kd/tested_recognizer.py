"""A recognizer with its checkpoint, to ask it of videos."""

from __future__ import annotations

from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from torch import nn

from mmaction_kd.models.recognizers.loaded_weights import check_next_load


def load_tested_recognizer(
    config: str | Config, checkpoint: str, device: str, owner: str
) -> nn.Module:
    """``init_recognizer`` of MMAction2, for a checkpoint that has all weights.

    Args:
        config: path of a config, or the config.
        checkpoint: path or URL.
        device: such as 'cpu' or 'cuda:0'.
        owner: who loads, for the error.

    Returns:
        The recognizer, in eval mode.

    Raises:
        ValueError: the checkpoint has not all weights that the answers depend on.
    """
    model = init_recognizer(config, None, device)
    check = check_next_load(model, owner, checkpoint, 'answers')
    try:
        load_checkpoint(model, checkpoint, map_location='cpu')
    finally:
        check.remove()
    return model
