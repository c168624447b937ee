"""The frame rate of a video, which ``target_fps`` of SampleFrames needs, from every reader."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of


def _readers_report_no_rate() -> bool:
    loading = source_of('mmaction.datasets.transforms.loading')
    return "results['total_frames'] = len(container)\n\n        return results" in loading


def _report_rate(loading: Any) -> None:
    """As DecordInit does."""
    _note(loading.OpenCVInit, lambda reader: reader.fps)
    _note(loading.PyAVInit, lambda container: container.streams.video[0].average_rate or 0)


def _note(init: Any, rate_of: Callable) -> None:
    host_transform = init.transform

    @functools.wraps(host_transform)
    def transform(self: Any, results: dict) -> dict:
        results = host_transform(self, results)
        rate = float(rate_of(results['video_reader']))
        if rate > 0 and math.isfinite(rate):
            results['avg_fps'] = rate
        return results

    init.transform = transform


FIXES = (
    Fix(
        name='target_fps of SampleFrames has no effect with the OpenCV and PyAV readers',
        hosts=('mmaction2',),
        module='mmaction.datasets.transforms.loading',
        fault=_readers_report_no_rate,
        patch=_report_rate,
        remedy='read videos with decord',
    ),
)
