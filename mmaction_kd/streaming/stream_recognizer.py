"""A recognizer on a stream of frames: one answer a window, which is the test of its frames."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel
from torch import nn

from mmaction_kd.datasets.transforms.pathway_pipelines import DECODE_STEPS, PathwayPipelines
from mmaction_kd.datasets.video_backends import step_kind
from mmaction_kd.models.backbones.frame_memory import FrameMemory, remember_frames
from mmaction_kd.models.backbones.frozen_frame_encoder import FrozenFrameEncoder
from mmaction_kd.models.backbones.temporal_conv_net import TemporalConvNet
from mmaction_kd.models.backbones.vtn import VTN
from mmaction_kd.options import check_range

ME = 'recognize_stream'


class Gap(NamedTuple):
    """Among the frames of a stream: here it was interrupted. No window reaches across."""

    seconds: float


class WindowAnswer(NamedTuple):
    """What a recognizer answers for the frames of one window."""

    start: float
    """Seconds from the beginning of the stream to that of the window's first frame."""
    end: float
    """Seconds, the end of its last frame."""
    sample: ActionDataSample
    """As in a test: ``pred_score`` (K,), and of MBD ``local_score``, ``local_weight``, ..."""


def recognize_stream(
    model: BaseModel,
    frames: Iterable[np.ndarray | Gap],
    fps: float,
    every: float = 1.0,
    window: float | None = None,
    skip: Callable[[], bool] = lambda: False,
) -> Iterator[WindowAnswer]:
    """Answer for a window of the latest frames, again and again.

    An answer is that of the config's test on a video of just these frames, by its own
    ``test_pipeline``. Memory is bounded by the window. The spatial backbone of a VTN or a
    TemporalConvNet encodes a frame once, however many windows have it; equal frozen ones of both
    pathways share their vectors. For windows to have frames in common, ``every`` is rounded to a
    multiple of the ``frame_interval`` of VTN and of SnapFrames.

    The last window ends with the stream. A stream that is shorter than a window is one window.

    Args:
        model: MBD, or any MMAction2 recognizer, as loaded by
            :func:`~mmaction_kd.models.submodels.tested_recognizer.load_tested_recognizer`.
        frames: (H, W, 3), uint8, RGB; and a :class:`Gap` where the stream was interrupted.
        fps: frames a second.
        every: seconds from a window to the next.
        window: seconds. None: as long as the model's longest clip.
        skip: asked before a window; True leaves it out. For a live stream when the model is late.

    Returns:
        The answers, as the frames come.

    Raises:
        ValueError: a setting is out of range, the model averages no views, its test samples the
            whole video so that ``window`` is needed, or what comes is no frame.

    Example:
        ``for answer in recognize_stream(model, frames, fps=25): print(answer.sample.pred_label)``
    """
    check_range(ME, 'fps', fps, above=0)
    check_range(ME, 'every', every, above=0)
    check_range(ME, 'window', window, above=0)
    if model.training:
        raise ValueError(f'{ME}: the model must be in eval mode, got training; call model.eval().')
    head = getattr(model, 'cls_head', None)
    if head is not None and head.average_clips is None:
        raise ValueError(
            f"{ME}: cls_head.average_clips must be 'prob' or 'score', got None, which leaves the "
            'views apart; set model.cls_head.average_clips.'
        )
    pipeline = model.cfg.test_pipeline  # type: ignore[union-attr]  # init_recognizer sets it
    grid = math.lcm(*(m.frame_interval for m in model.modules() if isinstance(m, VTN)))
    plan = WindowPlan(pipeline, fps, every, window, grid)  # type: ignore[arg-type]
    return _answers(model, frames, fps, plan, skip)


class WindowPlan:
    """How long a window is, where the next one begins, and how a window becomes the model's input.

    Args:
        test_pipeline: of the config.
        fps: frames a second.
        every: seconds from a window to the next.
        window: seconds, or None.
        grid: frames of which ``step`` is a multiple, as it is of each SnapFrames.

    Attributes:
        frames: of a window.
        step: frames from a window to the next.
        resize: the Resize that the pipelines of all pathways begin with, or None. It is done once,
            when a frame comes; to do it again, as the pipelines do, changes nothing.
    """

    def __init__(
        self,
        test_pipeline: Sequence[Mapping],
        fps: float,
        every: float,
        window: float | None,
        grid: int = 1,
    ) -> None:
        settings, self._several = _pathway_settings(test_pipeline)
        pipelines = PathwayPipelines(**settings)
        self.fps = fps
        self.frames = round(window * fps) if window else _longest_clip(pipelines, fps)
        check_range(ME, 'window (frames)', self.frames, 1)
        grid = math.lcm(grid, *_snap_intervals(settings['pathways'].values()))
        self.step = max(1, round(every * fps / grid)) * grid
        same = _pathways_with_one_clip(pipelines, self.frames, fps)
        settings['pathways'] = {
            name: _one_clip(steps) if name in same else steps
            for name, steps in settings['pathways'].items()
        }
        self._pipelines = PathwayPipelines(**settings)
        self.resize = _first_resize(settings['pathways'].values())

    def inputs(self, frames: Sequence[np.ndarray]) -> dict:
        """Run the test pipeline on a video of these frames: ``inputs``, ``data_samples``."""
        packed = self._pipelines(_video(frames, len(frames), self.fps))
        if not self._several:
            (packed['inputs'],) = packed['inputs'].values()
        return packed

    def take(self, frame: np.ndarray) -> np.ndarray:
        """Resize a frame to the size at which it is kept."""
        if self.resize is None:
            return frame
        return self.resize(dict(imgs=[frame], img_shape=frame.shape[:2]))['imgs'][0]


def _answers(
    model: BaseModel,
    frames: Iterable[np.ndarray | Gap],
    fps: float,
    plan: WindowPlan,
    skip: Callable[[], bool],
) -> Iterator[WindowAnswer]:
    memories = _memories(model)
    kept: deque[np.ndarray] = deque(maxlen=plan.frames)
    began = 0.0  # seconds, where the stream began or was resumed
    count, due, answered = 0, plan.frames, 0  # frames since then
    size: tuple | None = None

    def answer() -> WindowAnswer:
        with torch.no_grad(), remember_frames(memories):
            [sample] = model.test_step(pseudo_collate([plan.inputs(list(kept))]))
        start, end = ((place / fps) + began for place in (count - len(kept), count))
        return WindowAnswer(start, end, sample)

    for frame in frames:
        if isinstance(frame, Gap):
            if count > answered:
                yield answer()
            began += count / fps + frame.seconds
            kept.clear()
            count, due, answered = 0, plan.frames, 0
            continue
        size = _checked_size(frame, size if count else None)
        kept.append(plan.take(frame))
        count += 1
        if count == due:
            due += plan.step
            if not skip():
                answered = count
                yield answer()
    if count > answered:
        yield answer()


def _memories(model: BaseModel) -> dict[nn.Module, FrameMemory]:
    """Return a memory for each backbone that encodes frames; equal frozen encoders share one."""
    shared: dict[Any, FrameMemory] = {}
    memories: dict[nn.Module, FrameMemory] = {}
    for module in model.modules():
        if isinstance(module, VTN | TemporalConvNet):
            encoder = module.spatial_backbone
            key = encoder.fingerprint if isinstance(encoder, FrozenFrameEncoder) else encoder
            memories[module] = shared.setdefault(key, FrameMemory())
    return memories


def _checked_size(frame: Any, before: tuple | None) -> tuple:
    """Return (H, W) of a frame, which must be that of the frame before it."""
    shape: tuple = tuple(getattr(frame, 'shape', ()))
    dtype = getattr(frame, 'dtype', None)
    if dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or not all(shape):
        raise ValueError(
            f'{ME}: a frame must be an array (H, W, 3) of uint8, RGB, got {type(frame).__name__} '
            f'{shape} {dtype}.'
        )
    if before is not None and shape[:2] != before:
        raise ValueError(
            f'{ME}: all frames must have one size, got {shape[:2]} behind {before} (H, W); where '
            'it changes put a Gap.'
        )
    return shape[:2]


def _video(frames: Any, total_frames: int, fps: float) -> dict:
    """Describe a video in memory for MMAction2's steps."""
    video = dict(array=frames, total_frames=total_frames, start_index=0, modality='RGB')
    return dict(video, avg_fps=fps, label=-1)


def _pathway_settings(test_pipeline: Sequence[Mapping]) -> tuple[dict, bool]:
    """Return settings of PathwayPipelines for any test pipeline, and whether it was one."""
    steps = [dict(step) for step in test_pipeline]
    if len(steps) == 1 and step_kind(steps[0]) == 'PathwayPipelines':
        (settings,) = steps
        settings.pop('type')
        return settings, True
    return dict(pathways=dict(clip=steps)), False


def _sampled(pipelines: PathwayPipelines, total_frames: int, fps: float) -> dict[str, np.ndarray]:
    """Sample the clips of each pathway in a video of so many frames: indices, (clips, T)."""
    blank = np.zeros((1, 1, 3), np.uint8)
    any_frame: dict = defaultdict(lambda: blank)
    pathways, _ = pipelines.decode(_video(any_frame, total_frames, fps))
    return {
        name: sampled['frame_inds'].reshape(-1, sampled['clip_len'])
        for name, sampled in pathways.items()
    }


def _longest_clip(pipelines: PathwayPipelines, fps: float) -> int:
    """Return the length of the longest clip in frames, from its first to its last.

    Raises:
        ValueError: the sampler spreads a clip over the whole video, or a clip is one frame.
    """
    lengths = [
        max(int(np.ptp(clips, axis=1).max()) + 1 for clips in sampled.values())
        for sampled in (_sampled(pipelines, total, fps) for total in (10_000, 20_000))
    ]
    if lengths[0] != lengths[1] or lengths[0] == 1:
        raise ValueError(
            f'{ME}: window must be given (--window SECONDS), got None; the test pipeline samples '
            'the whole video, so that its clips have no length of their own.'
        )
    return lengths[0]


def _pathways_with_one_clip(pipelines: PathwayPipelines, frames: int, fps: float) -> set[str]:
    """Find the pathways whose clips are all equal, as a window is no longer than one of them.

    Not those with clips of one frame: they are segments that a 2D recognizer counts.
    """
    sampled = _sampled(pipelines, frames, fps)
    return {
        name for name, clips in sampled.items() if clips.shape[1] > 1 and (clips == clips[0]).all()
    }


def _one_clip(steps: Sequence[Mapping]) -> list[dict]:
    """Sample one clip only: where all are equal, so is the mean of their scores."""
    return [
        {**step, 'num_clips': 1, 'twice_sample': False}
        if step_kind(step) == 'SampleFrames'
        else dict(step)
        for step in steps
    ]


def _snap_intervals(pathways: Iterable[Sequence[Mapping]]) -> list[int]:
    """Return the ``frame_interval`` of each SnapFrames."""
    return [
        step['frame_interval']
        for steps in pathways
        for step in steps
        if step_kind(step) == 'SnapFrames'
    ]


def _first_resize(pathways: Iterable[Sequence[Mapping]]) -> BaseTransform | None:
    """Build the first step after Decode if it is the same Resize for all, to a size in pixels."""
    first = []
    for steps in pathways:
        kinds = [step_kind(step) for step in steps]
        cut = next(place for place, kind in enumerate(kinds) if kind in DECODE_STEPS)
        first.append(dict(steps[cut + 1]))
    resize = first[0]
    if (
        any(step != resize for step in first)
        or step_kind(resize) != 'Resize'
        or resize.get('lazy')
        or isinstance(resize['scale'], float)
    ):
        return None
    (transform,) = Compose([resize]).transforms
    return transform
