"""A forward and backward pass of VTN against one that computes every token of the last blocks.

Of the spatial ViT's last block and of the temporal encoder's last layer only what the output [CLS]
depends on is computed (``cls_only``), one twelfth less of ViT-B.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch

from benchmarks.side_by_side import compare
from mmaction_kd.models.backbones import VTN


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--frames', type=int, default=16, help='of a clip')
    parser.add_argument('--size', type=int, default=224, help='of a frame, pixels')
    parser.add_argument('--arch', default='b', help="of mmpretrain's ViT, such as 's' or 'b'")


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    shape = (args.batch_size, 3, args.frames, args.size, args.size)
    clips = torch.randn(shape, device=args.device)
    narrow, full = (_step(vtn(args, cls_only=only), clips, args) for only in (True, False))
    title = f'VTN step, ViT-{args.arch}, {args.frames} frames of {args.size}'
    return {title: compare(narrow, full, args.pairs, args.device)}


def vtn(args: argparse.Namespace, **settings) -> VTN:
    """A VTN on a ViT of 16 x 16 patches.

    Args:
        args: of the measurement, with ``arch`` and ``device``.
        settings: of the VTN.

    Returns:
        In training mode.
    """
    vit = dict(type='mmpretrain.VisionTransformer', arch=args.arch, out_type='cls_token')
    return VTN(vit, **settings).to(args.device)


def _step(model: VTN, clips: torch.Tensor, args: argparse.Namespace) -> Callable[[], None]:
    def step() -> None:
        model.zero_grad()
        with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
            feature = model(clips)
        feature.sum().backward()

    return step
