"""What DistillReportHook does in a training step against that step of MBD."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from benchmarks.side_by_side import compare
from benchmarks.train_step import mbd_and_batch, train_step
from mmaction_kd.observations import DOMINANCE, observe, take_observations
from mmaction_kd.report.class_counts import ObservationSums

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--config', default=MBD_CONFIG, help='where the model is')
    parser.add_argument('--batch-size', type=int, default=1)


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    model, inputs, samples = mbd_and_batch(args)
    targets = torch.zeros(len(samples), dtype=torch.long, device=args.device)
    groups = dict.fromkeys(('local', 'global'), targets == 0)
    num_classes = model.local_pathway.cls_head.num_classes
    sums = ObservationSums()

    def count() -> None:
        observe(DOMINANCE, num_classes, targets, groups)
        sums.add(take_observations())

    step = train_step(model, inputs, samples, args)
    title = f'report hook, {Path(args.config).stem}, batch {args.batch_size}'
    return {title: compare(count, step, args.pairs, device=args.device)}
