"""Mean flow magnitude of a video, and of many on all cores."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, get_type_hints

import cv2
import numpy as np

from mmaction_kd.datasets.reader_process import ReaderCrash, ReaderFault, isolated_map
from mmaction_kd.datasets.video_source import UnusableVideo, VideoSource, resize_short_side
from mmaction_kd.optical_flow.algorithms import optical_flow
from mmaction_kd.options import Count, Range, check_options

SMALLEST_SHORT_SIDE = 16  # pixels; the pyramids of the algorithms have no room below


@dataclass(frozen=True)
class MotionSettings:
    """All that decides the motion of a video.

    Args:
        algorithm: see :func:`~mmaction_kd.optical_flow.algorithms.optical_flow`.
        short_side: working size: frames are scaled to it, pixels, and so is their motion; 0 leaves
            every video at its own size, which compares videos of one size only.
        stride: frames from one frame of a pair to the other. Flow is divided by it. Motion beyond
            the algorithm's reach, or back and forth within a pair, is lost.
        pair_stride: frames from one pair to the next, ``stride`` or more: a sample of the pairs,
            each as before. The step to a key frame has more flow than others, by coding noise; a
            number without a common divisor with the distance of the key frames (often 12) meets
            it as often as it occurs. 0 for ``stride``: each pair begins where the last one ended.
        segments: 0 for every pair of the video; else its pairs are cut into so many equal segments,
            of which the pair in the middle counts.
        centre_crop: the part of height and of width, about the centre of the frame, in which flow
            counts, a ratio in (0, 1]; 1 is the whole frame. Flow is computed on all of it anyway.

    Raises:
        TypeError: a setting is of another type.
        ValueError: a setting is out of its range, or there is no such algorithm.
        ImportError: this OpenCV lacks the algorithm.
    """

    algorithm: str = 'dis'
    short_side: int = 128
    stride: Count = 1
    pair_stride: int = 0
    segments: Annotated[int, Range(0)] = 0
    centre_crop: Annotated[float, Range(above=0, at_most=1)] = 1.0

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_options(owner, vars(self), get_type_hints(type(self), include_extras=True))
        optical_flow(self.algorithm)
        for key, low in (('short_side', SMALLEST_SHORT_SIDE), ('pair_stride', self.stride)):
            value = getattr(self, key)
            if value < low and value != 0:
                raise ValueError(f'{owner}: {key} must be 0, or {low} or more, got {value}.')

    @property
    def unit(self) -> str:
        """Of every magnitude under these settings."""
        size = f'short side {self.short_side}' if self.short_side else 'the size of the files'
        return f'pixels per frame at {size}'

    def recorded(self) -> dict[str, str | int | float]:
        """The settings, and the version of OpenCV, whose algorithms change with it."""
        return asdict(self) | dict(opencv=cv2.__version__)


def frame_pairs(
    num_frames: int, stride: int, pair_stride: int, segments: int
) -> list[tuple[int, int]]:
    """Which frames flow is computed between.

    Args:
        num_frames: T.
        stride: frames from one of a pair to the other.
        pair_stride: frames from one pair to the next; 0 for ``stride``.
        segments: 0, or how many pairs, each from the middle of its segment.

    Returns:
        (t, t + stride) for t = 0, pair_stride, 2 pair_stride, ..., as far as t + stride < T, or so
        many of these; none of a video of T <= stride.
    """
    pairs = [(t, t + stride) for t in range(0, num_frames - stride, pair_stride or stride)]
    if not 0 < segments < len(pairs):
        return pairs
    return [pairs[(2 * s + 1) * len(pairs) // (2 * segments)] for s in range(segments)]


def mean_magnitude(flow: np.ndarray, centre_crop: float = 1.0) -> float:
    """``mean √(u² + v²)`` over the pixels of the centre region.

    Args:
        flow: (u, v), (H, W, 2).
        centre_crop: the part of H and of W that counts, a ratio in (0, 1].

    Returns:
        In the unit of flow.
    """
    height, width = (max(round(side * centre_crop), 1) for side in flow.shape[:2])
    top, left = (flow.shape[0] - height) // 2, (flow.shape[1] - width) // 2
    centre = flow[top : top + height, left : left + width]
    return float(np.hypot(centre[..., 0], centre[..., 1]).mean(dtype=np.float64))


def video_motion(video: VideoSource, settings: MotionSettings) -> float:
    """``μ_v``: mean over pairs of frames and over pixels of the flow's magnitude.

    Differs from the paper: it names no size of frames, and magnitudes grow with it, so all videos
    are brought to one, unless ``short_side`` is 0.

    Args:
        video: where its frames are.
        settings: of the measurement.

    Returns:
        Pixels per frame at the working size, whatever the stride.

    Raises:
        UnusableVideo: it can not be read, or is too short.
    """
    num_frames, read = video.open()
    pairs = frame_pairs(num_frames, settings.stride, settings.pair_stride, settings.segments)
    if not pairs:
        raise UnusableVideo(f'it has {num_frames} frames, a pair needs {settings.stride + 1}')
    flow = optical_flow(settings.algorithm)
    magnitudes = []
    frames: dict[int, np.ndarray] = {}
    for pair in pairs:
        frames = {
            t: frames[t] if t in frames else resize_short_side(read(t), settings.short_side)
            for t in pair
        }
        first, second = frames.values()
        if first.shape != second.shape:
            raise UnusableVideo(f'frames {pair[0]} and {pair[1]} differ in size')
        if min(first.shape) < SMALLEST_SHORT_SIDE:
            height, width = first.shape
            raise UnusableVideo(
                f'its frames are {width} x {height}, a side needs {SMALLEST_SHORT_SIDE} pixels'
            )
        magnitudes.append(mean_magnitude(flow(first, second), settings.centre_crop))
    return math.fsum(magnitudes) / len(magnitudes) / settings.stride


def _motion_or_reason(settings: MotionSettings, video: VideoSource) -> float | UnusableVideo:
    try:
        return video_motion(video, settings)
    except UnusableVideo as reason:
        return reason


def parallel_motion(
    videos: Mapping[str, VideoSource], settings: MotionSettings, workers: int
) -> Generator[tuple[str, float | UnusableVideo]]:
    """Measure videos in worker processes, which a decoder may crash, in order of completion.

    To stop early, close the generator, which ends the workers at once.

    Args:
        videos: by name.
        settings: of the measurement.
        workers: number of processes.

    Yields:
        Name and motion, pixels per frame, or the reason why there is none.
    """
    names = list(videos)
    measure = functools.partial(_motion_or_reason, settings)
    with contextlib.closing(isolated_map(measure, list(videos.values()), workers)) as measured:
        for index, motion in measured:
            if isinstance(motion, ReaderCrash):
                motion = UnusableVideo(motion.reason)
            elif isinstance(motion, ReaderFault):
                raise motion
            yield names[index], motion
