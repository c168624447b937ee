"""One decode for both pathways against a stock pipeline for each.

Both sides draw the same frames, unless a pathway of the config samples inside another. ``decode``
is up to the Decode step, ``pipeline`` all of it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose

from benchmarks.side_by_side import compare
from mmaction_kd.datasets.transforms.pathway_pipelines import VIDEO_BACKENDS
from mmaction_kd.registry import TRANSFORMS

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('videos', nargs='+', help='paths of videos')
    parser.add_argument('--config', default=MBD_CONFIG, help='where the pipelines are')
    parser.add_argument('--pipeline', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--backend',
        choices=VIDEO_BACKENDS,
        help="ours instead of the config's; stock keeps its own",
    )
    parser.add_argument('--decode-short-side', type=int, help='of ours, pixels, with decord')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    step = pathway_step(args.config, args.pipeline)
    ours = dict(backend=args.backend, decode_short_side=args.decode_short_side)
    together = TRANSFORMS.build({**step, **{key: value for key, value in ours.items() if value}})
    # Alphabetically, as PathwayPipelines draws its random numbers.
    alone = {name: list(step.pathways[name]) for name in sorted(step.pathways)}
    for name, steps in alone.items():
        if 'Init' not in steps[0].type:
            alone[name] = [dict(type='DecordInit'), *steps]
    cut = {name: up_to_decode(steps) for name, steps in alone.items()}
    complete = {name: Compose(steps) for name, steps in alone.items()}

    def shared(run: Callable[[dict], object], video: str) -> Callable[[], None]:
        def function() -> None:
            np.random.seed(next(clip))
            run(dict(filename=video, label=0))

        clip = itertools.count()
        return function

    def stock(pipelines: dict[str, Compose], video: str) -> Callable[[], None]:
        def function() -> None:
            np.random.seed(next(clip))
            for pipeline in pipelines.values():
                pipeline(dict(filename=video, start_index=0, modality='RGB', label=0))

        clip = itertools.count()  # the i-th run of either side draws the same clips
        return function

    results = {}
    for video in args.videos:
        results[f'decode {Path(video).name}'] = compare(
            shared(together.decode, video), stock(cut, video), args.pairs
        )
        results[f'pipeline {Path(video).name}'] = compare(
            shared(together, video), stock(complete, video), args.pairs
        )
    for kind in ('decode', 'pipeline'):
        ratios = [r['ratio'] for name, r in results.items() if name.startswith(kind)]
        results[f'{kind}, median of {len(ratios)} videos'] = dict(
            ratio=statistics.median(ratios), quartiles=np.quantile(ratios, [0.25, 0.75]).tolist()
        )
    return results


def pathway_step(config: str, pipeline: str) -> ConfigDict:
    """The PathwayPipelines step of a config's train, val or test pipeline."""
    steps = Config.fromfile(config)[f'{pipeline}_pipeline']
    return next(step for step in steps if step.type == 'mmaction_kd.PathwayPipelines')


def up_to_decode(steps: list) -> Compose:
    kinds = [str(step['type']) for step in steps]
    return Compose(steps[: next(i for i, kind in enumerate(kinds) if 'Decode' in kind) + 1])
