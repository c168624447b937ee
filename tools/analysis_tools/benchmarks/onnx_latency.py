"""An ONNX file of tools/deployment/export.py in ONNX Runtime against the same model in PyTorch.

One video of noise, uint8 frames in, scores out, on the CPU. ``size`` has the megabytes of the file
and of the model's weights in float32. The weights are random: times do not depend on them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from benchmarks.side_by_side import compare
from mmaction_kd.deployment import deployed
from mmaction_kd.deployment.onnx_file import open_session
from mmaction_kd.registry import MODELS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('files', nargs='+', type=Path, help='.onnx files of one model')
    parser.add_argument('--config', required=True, help='of the model')
    parser.add_argument('--pathway', choices=('local', 'global'), help='of MBD, alone')
    parser.add_argument('--views', type=int, default=1, help='of the video, where they are free')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    model = deployed(MODELS.build(Config.fromfile(args.config).model), args.pathway)
    megabytes = sum(w.nbytes for w in (*model.parameters(), *model.buffers())) / 1e6
    results = {}
    for path in args.files:
        session = open_session(path, torch.get_num_threads())
        rng = np.random.default_rng(0)
        feed = {
            x.name: rng.integers(0, 256, _shape(x.shape, args.views), np.uint8)
            for x in session.get_inputs()
        }
        clips = [torch.from_numpy(x) for x in feed.values()]

        def ours(session=session, feed=feed) -> None:
            session.run(None, feed)

        @torch.no_grad()
        def theirs(clips=clips) -> None:
            model(*clips)

        results[f'{path.name}, {args.views} views'] = compare(ours, theirs, args.pairs, warmup=3)
        size = path.stat().st_size / 1e6
        results[f'{path.name}, size'] = dict(ours_mb=size, theirs_mb=megabytes)
    return results


def _shape(shape: list, views: int) -> list[int]:
    """A graph's input for one video: free sizes are named."""
    videos, *rest = shape
    assert not isinstance(videos, int)
    return [1, *(size if isinstance(size, int) else views for size in rest)]
