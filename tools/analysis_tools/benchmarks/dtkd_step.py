"""A routed training step of DTKD against one whose teachers both see every sample.

Student and teachers are the same model; every other sample is the one teacher's. Counted in
forward passes of a sample, a backward pass as two: 4 against 5, so 0.8 is the limit.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from benchmarks.side_by_side import compare
from benchmarks.train_step import train_step
from mmaction_kd.registry import MODELS

STUDENT_CONFIG = 'configs/dtkd/slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--config', default=STUDENT_CONFIG, help='where the student is')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--frames', type=int, default=32, help='of a clip')
    parser.add_argument('--size', type=int, default=112, help='of a frame, pixels')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    model_cfg = Config.fromfile(args.config).model
    num_classes = model_cfg.cls_head.num_classes
    subsets = {name: list(range(i, num_classes, 2)) for i, name in enumerate(('dynamic', 'static'))}
    teachers = {name: copy.deepcopy(model_cfg) for name in subsets}
    for name, teacher in teachers.items():
        teacher.cls_head.num_classes = len(subsets[name])
    weighting = dict(type='mmaction_kd.HybridScore', outside_score='buffer')
    loss = dict(type='mmaction_kd.SubsetDistillLoss', subsets=subsets, weighting=weighting)
    distiller = dict(student=model_cfg, teachers=teachers, distill_loss=loss)
    model = MODELS.build(dict(type='mmaction_kd.DualTeacherDistiller', **distiller))
    model.to(args.device).train()
    shape = (args.batch_size, 1, 3, args.frames, args.size, args.size)
    inputs = torch.randn(shape, device=args.device)
    samples = [ActionDataSample().set_gt_label(i % num_classes) for i in range(args.batch_size)]
    routed_step = train_step(model, inputs, samples, args)
    routed = model.distill_loss.needed

    def everything(targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict.fromkeys(subsets, torch.ones_like(targets, dtype=torch.bool))

    def unrouted() -> None:
        model.distill_loss.needed = everything
        routed_step()
        model.distill_loss.needed = routed

    title = f'DTKD step, {Path(args.config).stem}, batch {args.batch_size}'
    return {title: compare(routed_step, unrouted, args.pairs, device=args.device)}
