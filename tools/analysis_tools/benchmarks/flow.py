"""The motion of a video with quick settings against Farneback's flow at full size, every pair.

Both in one process with one thread; reading the video is part of it. What the quick settings lose
is measured by flow-agreement.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.side_by_side import compare
from mmaction_kd.datasets.video_source import VideoFile
from mmaction_kd.optical_flow.video_motion import MotionSettings, video_motion

FULL = MotionSettings('farneback', short_side=0)
QUICK = MotionSettings('farneback', short_side=120, pair_stride=7)


def motion_settings(text: str) -> MotionSettings:
    """Read ``key=value,key=value`` with the keys of MotionSettings; the others keep their default.

    Raises:
        ArgumentTypeError: there is no such key, or the value is out of its range.
    """
    default = asdict(MotionSettings())
    try:
        given = dict(part.split('=') for part in text.split(','))
        return MotionSettings(**{key: type(default[key])(value) for key, value in given.items()})
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f'must be KEY=VALUE,... with the keys {list(default)}, got {text!r} ({error})'
        ) from error


def text_of(settings: MotionSettings) -> str:
    """As :func:`motion_settings` reads it: algorithm, size, and what differs from the default."""
    default = MotionSettings()
    named = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return ','.join(
        f'{key}={value}'
        for key, value in named.items()
        if key in ('algorithm', 'short_side') or value != getattr(default, key)
    )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV on one thread, as in the tool's worker processes."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('videos', nargs='+', help='paths of videos')
    parser.add_argument(
        '--settings',
        type=motion_settings,
        default=QUICK,
        metavar='KEY=VALUE,...',
        help=f'of MotionSettings; {text_of(QUICK)} where it is not given',
    )


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    results = {}
    with one_thread():
        for video in args.videos:
            ours, theirs = (
                partial(video_motion, VideoFile(video), settings)
                for settings in (args.settings, FULL)
            )
            results[f'flow {Path(video).name}'] = compare(ours, theirs, args.pairs)
    ratios = [result['ratio'] for result in results.values()]
    results[f'flow, median of {len(ratios)} videos'] = dict(
        ratio=statistics.median(ratios), quartiles=np.quantile(ratios, [0.25, 0.75]).tolist()
    )
    return results
