"""A training step with autocast, channels last or torch.compile against the plain float32 step.

`amp` is AmpOptimWrapper in bfloat16, `channels-last` MemoryFormatHook's layout, `compile` what
`compile=True` does in a config; `all` is the three at once. The batch is one rendered video through
the config's train pipeline. With `compile` the first step takes minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from benchmarks.side_by_side import compare
from benchmarks.train_step_of_config import (
    add_config_arguments,
    build_model,
    optimizer_of,
    read_config,
)
from mmaction_kd.engine.hooks.memory_format_hook import channels_last

VARIANTS = ('amp', 'channels-last', 'compile', 'all')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    add_config_arguments(parser, 'configs/mbd/tiny_r3d_vtn.py')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS))


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    cfg = read_config(args)
    batch = batch_of_config(cfg, args.batch_size)
    plain = step_of(cfg, batch, args.device)
    results = {}
    for variant in args.variants:
        step = step_of(cfg, batch, args.device, *(VARIANTS[:3] if variant == 'all' else [variant]))
        title = f'{variant} step, {Path(args.config).stem}, batch {args.batch_size}'
        results[title] = compare(step, plain, args.pairs, args.device, warmup=3)
    return results


def batch_of_config(cfg: Config, batch_size: int) -> dict:
    """A collated batch of the classes 0, 1, ..., each the same noise through the train pipeline.

    Args:
        cfg: with ``train_dataloader``.
        batch_size: N.

    Returns:
        What ``model.train_step`` takes.
    """
    pipeline = Compose(cfg.train_dataloader.dataset.pipeline)
    frames = np.random.default_rng(0).integers(0, 256, (8, 256, 340, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'noise.mp4'))
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*'mp4v'), 25, (340, 256))
        for i in range(160):
            writer.write(frames[i % len(frames)])
        writer.release()
        clip = dict(filename=path, start_index=0, modality='RGB')
        return pseudo_collate([pipeline(dict(clip, label=i)) for i in range(batch_size)])


def step_of(cfg: Config, batch: dict, device: str, *variants: str) -> Callable[[], object]:
    """A training step as a Runner does it, always on the same batch.

    Args:
        cfg: of :func:`read_config`.
        batch: what it sees.
        device: where it runs.
        variants: of :data:`VARIANTS` but 'all'; none is plain float32.

    Returns:
        The step.
    """
    model = build_model(cfg, device)
    optimizer = optimizer_of(model, 'amp' in variants)
    if 'channels-last' in variants:
        model._apply(channels_last)
    if 'compile' in variants:
        model.train_step = torch.compile(model.train_step)  # as MMEngine does
    return lambda: model.train_step(batch, optimizer)
