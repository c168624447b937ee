"""How far the memory of a process grows over many samples, in MB, after a tenth to warm up."""

from __future__ import annotations

import argparse
import itertools
import os
from pathlib import Path

from benchmarks.decode import MBD_CONFIG, pathway_step
from mmaction_kd.datasets.transforms.pathway_pipelines import VIDEO_BACKENDS
from mmaction_kd.registry import TRANSFORMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('videos', nargs='+', help='paths of videos, read in turn')
    parser.add_argument('--config', default=MBD_CONFIG, help='where the pipelines are')
    parser.add_argument('--pipeline', choices=('train', 'val', 'test'), default='train')
    parser.add_argument('--backend', choices=VIDEO_BACKENDS, default='decord')
    parser.add_argument('--samples', type=int, default=2000)


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    step = pathway_step(args.config, args.pipeline)
    pipelines = TRANSFORMS.build({**step, 'backend': args.backend})
    videos = itertools.cycle(args.videos)

    def read(samples: int) -> float:
        for _ in range(samples):
            pipelines(dict(filename=next(videos), label=0))
        return resident_mb()

    before = read(max(args.samples // 10, 1))
    after = read(args.samples)
    return {
        f'{args.backend}, {args.pipeline} samples': dict(
            samples=args.samples, growth_mb=after - before, before_mb=before
        )
    }


def resident_mb() -> float:
    """Resident memory of this process, in MB of 10^6 bytes. Linux only."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6
