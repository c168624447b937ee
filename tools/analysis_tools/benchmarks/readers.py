"""Each backend of PathwayPipelines against decord: the same frames of the same video.

Also reports the mean absolute difference of the frames' pixels from decord's (0 to 255).
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.decode import MBD_CONFIG, pathway_step
from benchmarks.side_by_side import compare
from mmaction_kd.datasets import PathwayPipelines
from mmaction_kd.datasets.transforms.pathway_pipelines import VIDEO_BACKENDS
from mmaction_kd.registry import TRANSFORMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('videos', nargs='+', help='paths of videos')
    parser.add_argument('--config', default=MBD_CONFIG, help='where the pipelines are')
    parser.add_argument('--pipeline', choices=('train', 'val', 'test'), default='train')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    step = pathway_step(args.config, args.pipeline)
    pipelines = {
        name: TRANSFORMS.build({**step, 'backend': name})
        for name, backend in VIDEO_BACKENDS.items()
        if importlib.util.find_spec(backend.package)
    }
    usual = pipelines.pop('decord')
    results = {}
    for video, (name, other) in itertools.product(args.videos, pipelines.items()):
        result = compare(sampler(other, video), sampler(usual, video), args.pairs)
        result['difference'] = difference(other, usual, video)
        results[f'{name} {Path(video).name}'] = result
    return results


def sampler(pipelines: PathwayPipelines, video: str) -> Callable[[], None]:
    """Decode one sample after the other; two that are made so draw the same frames."""
    clip = itertools.count()

    def decode() -> None:
        np.random.seed(next(clip))
        pipelines.decode(dict(filename=video))

    return decode


def difference(ours: PathwayPipelines, theirs: PathwayPipelines, video: str) -> float:
    """Mean absolute difference of the pixels of one sample, nan if the frames are others."""
    frames = []
    for pipelines in (ours, theirs):
        np.random.seed(0)
        frames.append(pipelines.decode(dict(filename=video))[1])
    if frames[0].keys() != frames[1].keys():
        return float('nan')
    return float(
        np.mean([np.abs(frames[0][i].astype(int) - frames[1][i]).mean() for i in frames[0]])
    )
