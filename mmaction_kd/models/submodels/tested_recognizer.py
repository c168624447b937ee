"""A recognizer with its checkpoint, for inference on videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmaction.apis import init_recognizer
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import load_checkpoint
from torch import nn

from mmaction_kd.datasets.reader_process import ReaderFault
from mmaction_kd.datasets.video_backends import other_readers, used_backend
from mmaction_kd.host_fixes.loaded_weights import check_next_load


def load_tested_recognizer(
    config: str | Config, checkpoint: str, device: str, owner: str
) -> nn.Module:
    """Call MMAction2's ``init_recognizer``, and refuse a checkpoint that lacks weights.

    Args:
        config: path of a config, or the config.
        checkpoint: path or URL.
        device: such as 'cpu' or 'cuda:0'.
        owner: who loads, for the error.

    Returns:
        The recognizer, in eval mode.

    Raises:
        ValueError: the checkpoint lacks weights that the predictions depend on.
    """
    model = init_recognizer(config, None, device)
    with check_next_load(model, owner, checkpoint, 'answers'):
        load_checkpoint(model, checkpoint, map_location='cpu')
    return model


def read_video(pipeline: Sequence[dict], video: Path, owner: str, label: int = -1) -> dict:
    """Run a test pipeline on one video.

    Args:
        pipeline: such as ``cfg.test_pipeline``.
        video: its path.
        owner: who reads, for the error.
        label: class index, or -1.

    Returns:
        ``inputs`` and ``data_samples``.

    Raises:
        ValueError: it can't be read.
    """
    steps = Compose(pipeline)
    try:
        return steps(dict(filename=str(video), label=label, start_index=0, modality='RGB'))
    except Exception as error:  # readers raise many types
        used = used_backend(steps.transforms)
        others = other_readers(str(video), used) if used else ''
        raise ValueError(
            f'{owner}: {video} must be a video that can be read, got '
            f'{ReaderFault.of(error).reason}{others and "; "}{others}'
        ) from error
