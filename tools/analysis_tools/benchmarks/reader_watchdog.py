"""A training sample from a process of its own (reader_timeout) against one made in the worker."""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from benchmarks.side_by_side import compare
from mmaction_kd.datasets.reader_process import ReaderProcess
from mmaction_kd.datasets.skip_bad_videos import read_sample

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'


class _OneVideo(BaseDataset):
    def load_data_list(self) -> list[dict]:
        return [dict(filename=self.ann_file, label=0, start_index=0, modality='RGB')]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('videos', nargs='+', help='paths of videos')
    parser.add_argument('--config', default=MBD_CONFIG, help='where the train pipeline is')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    pipeline = Config.fromfile(args.config).train_pipeline

    def sample(read: Callable[[int, int], object]) -> Callable[[], object]:
        clip = itertools.count()  # the i-th run of either side draws the same clips
        return lambda: read(0, next(clip))

    results = {}
    for video in args.videos:
        read = functools.partial(read_sample, _OneVideo(ann_file=video, pipeline=pipeline))
        process = ReaderProcess(read)
        name = f'reader watchdog {Path(video).name}'
        results[name] = compare(sample(process), sample(read), args.pairs)
        process.end()
    ratios = [result['ratio'] for result in results.values()]
    results[f'reader watchdog, median of {len(ratios)} videos'] = dict(
        ratio=statistics.median(ratios), quartiles=np.quantile(ratios, [0.25, 0.75]).tolist()
    )
    return results
