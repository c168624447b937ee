"""What settings of the flow tool cost and lose, against Farneback's flow at full size, every pair.

All settings take turns at each video of the annotation files, in one process with one thread. For
each: seconds over all videos, their ratio to the reference's (``of_full``), and the agreement with
it, see mmaction_kd.optical_flow.motion_agreement: over all lists, and over each where there are
several.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from benchmarks.flow import FULL, QUICK, motion_settings, one_thread, text_of
from mmaction_kd.datasets.labelled_videos import LabelledVideo, build_datasets, labelled_videos
from mmaction_kd.datasets.video_source import UnusableVideo, VideoSource
from mmaction_kd.optical_flow.motion_agreement import motion_agreement
from mmaction_kd.optical_flow.video_motion import MotionSettings, video_motion

COMPARED = (MotionSettings(), MotionSettings('dis_fast'), QUICK)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('annotations', nargs='+', metavar='ANN', help='.txt annotation files')
    parser.add_argument('--videos', required=True, metavar='DIR', help='of the videos they name')
    parser.add_argument(
        '--settings',
        type=motion_settings,
        nargs='+',
        default=COMPARED,
        metavar='KEY=VALUE,...',
        help=f'of MotionSettings, one or more; else {" ".join(map(text_of, COMPARED))}',
    )


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    lists = {}
    for path in args.annotations:
        cfg = dict(type='VideoDataset', ann_file=path, data_prefix=dict(video=args.videos))
        lists[path] = list(labelled_videos(*build_datasets(cfg)))
    together = {video.name: video for own in lists.values() for video in own}
    sources = {name: video.source for name, video in together.items()}
    seconds, motions = measure(sources, list(dict.fromkeys([FULL, *args.settings])))
    results = {}
    for settings in args.settings:
        cost = dict(seconds=seconds[settings], of_full=seconds[settings] / seconds[FULL])
        loss = agreement(list(together.values()), motions[settings], motions[FULL])
        results[text_of(settings)] = cost | loss
        for path, own in lists.items() if len(lists) > 1 else ():
            row = agreement(own, motions[settings], motions[FULL])
            results[f'{text_of(settings)} {path}'] = row
    return results


def agreement(
    videos: Sequence[LabelledVideo], ours: Mapping[str, float], reference: Mapping[str, float]
) -> dict[str, float]:
    """Of two measurements of the same videos, over the classes that these have."""
    usable = [video for video in videos if video.name in reference]
    labels = sorted({label for video in usable for label in video.labels})
    of_class = [[video.name for video in usable if label in video.labels] for label in labels]
    two = ([[motions[name] for name in own] for own in of_class] for motions in (ours, reference))
    return dict(videos=len(usable), classes=len(labels)) | motion_agreement(*two)


def measure(
    sources: Mapping[str, VideoSource], everything: Sequence[MotionSettings]
) -> tuple[dict[MotionSettings, float], dict[MotionSettings, dict[str, float]]]:
    """Measure each video with all settings, of which another is the first every time.

    Args:
        sources: of the videos, by name.
        everything: the settings.

    Returns:
        Of each of the settings the seconds over all videos that could be measured, and the motion
        of these videos.
    """
    seconds = dict.fromkeys(everything, 0.0)
    motions: dict[MotionSettings, dict[str, float]] = {settings: {} for settings in everything}
    with one_thread():
        for turn, (name, source) in enumerate(sources.items()):
            first = turn % len(everything)
            found = {}
            try:
                for settings in [*everything[first:], *everything[:first]]:
                    start = time.perf_counter()
                    motion = video_motion(source, settings)
                    found[settings] = motion, time.perf_counter() - start
            except UnusableVideo:
                continue
            for settings, (motion, took) in found.items():
                motions[settings][name] = motion
                seconds[settings] += took
    return seconds, motions
