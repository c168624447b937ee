"""A training step of MBD against one of each pathway alone, on the same inputs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.side_by_side import compare
from benchmarks.train_step import mbd_and_batch, train_step

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--config', default=MBD_CONFIG, help='where the model is')
    parser.add_argument('--batch-size', type=int, default=1)


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    model, inputs, samples = mbd_and_batch(args)
    together = train_step(model, inputs, samples, args)
    alone = [
        train_step(pathway, inputs[f'{name}_pathway'], samples, args)
        for name, pathway in model.pathways.items()
    ]
    title = f'MBD step, {Path(args.config).stem}, batch {args.batch_size}'
    both_alone = partial(_run_all, alone)
    return {title: compare(together, both_alone, args.pairs, device=args.device)}


def _run_all(steps: list[Callable[[], None]]) -> None:
    for step in steps:
        step()
