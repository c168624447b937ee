"""The frames of a model's input, and where in the video they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from mmaction.datasets.transforms import PackActionInputs
from mmaction.utils import get_str_type
from torch import Tensor

# The origin of a frame; PackActionInputs packs these if they are in its meta_keys.
ORIGIN_KEYS = (
    *('filename', 'frame_dir', 'frame_inds', 'start_index', 'total_frames', 'avg_fps'),
    'crop_bbox',
)


def keep_origin(pipeline: object) -> None:
    """Make a pipeline pack where its frames come from, in place.

    Args:
        pipeline: a config of a pipeline, of a data set, or anything with PackActionInputs inside.
    """
    if isinstance(pipeline, Mapping):
        if 'type' in pipeline and _kind(pipeline['type']) == 'PackActionInputs':
            own = pipeline.get('meta_keys', PackActionInputs().meta_keys)
            pipeline['meta_keys'] = tuple(dict.fromkeys((*own, *ORIGIN_KEYS)))  # type: ignore[index]
        for value in pipeline.values():
            keep_origin(value)
    elif isinstance(pipeline, (list, tuple)):
        for value in pipeline:
            keep_origin(value)


def _kind(type_: object) -> str:
    return get_str_type(type_).rpartition('.')[2]


@dataclass(frozen=True)
class ShownClip:
    """One view of a video, as the pipeline packed it.

    Args:
        frames: RGB, not normalised, (T, H, W, 3), uint8.
        numbers: of the frames in the video, (T,); None where the pipeline did not pack it.
        first: number of the video's first frame, 0 of a file, often 1 of a folder.
        total_frames: of the video; None as above.
        fps: frames a second; None where unknown.
        view: which one, from 0; clip by clip within each crop.
        clips: clips in the video.
        crops: crops of each.
    """

    frames: np.ndarray
    numbers: np.ndarray | None
    first: int
    total_frames: int | None
    fps: float | None
    view: int
    clips: int
    crops: int

    @property
    def seconds(self) -> np.ndarray | None:
        """Of the frames, from the start of the video, (T,)."""
        if self.numbers is None or not self.fps:
            return None
        return (self.numbers - self.first) / self.fps


def shown_clip(inputs: Tensor, metainfo: Mapping, view: int | None = None) -> ShownClip:
    """Select one view of the packed inputs.

    Args:
        inputs: (V, C, T, H, W), or (V·T, C, H, W) for a Recognizer2D, uint8.
        metainfo: of the sample, with what :func:`keep_origin` asks for.
        view: which; default the clip in the middle of the video, of it the central crop.

    Returns:
        The view.

    Raises:
        ValueError: these are no RGB frames, or there is no such view.
    """
    if inputs.dim() not in (4, 5) or inputs.shape[1] != 3 or inputs.dtype != torch.uint8:
        raise ValueError(
            'shown_clip: the inputs must be RGB frames (V, 3, T, H, W) or (V T, 3, H, W), uint8, '
            f'got {tuple(inputs.shape)}, {inputs.dtype}; other kinds of input can not be drawn.'
        )
    flat = inputs.dim() == 4
    rows = inputs if flat else inputs.transpose(1, 2).flatten(0, 1)  # (V T, 3, H, W)
    origin = np.ravel(metainfo.get('frame_inds', ()))  # of all clips, once for all crops
    known = len(origin) > 0 and len(rows) % len(origin) == 0
    clip_len = inputs.shape[2] if not flat else len(origin) if known else len(rows)
    clips = (len(origin) if known else len(rows)) // clip_len
    crops = len(rows) // (clips * clip_len)
    if view is None:
        view = _central_crop(metainfo, crops) * clips + clips // 2
    if not 0 <= view < clips * crops:
        raise ValueError(f'shown_clip: view must be in [0, {clips * crops - 1}], got {view}.')
    mine = np.arange(view * clip_len, (view + 1) * clip_len)
    return ShownClip(
        frames=rows[mine].permute(0, 2, 3, 1).cpu().numpy(),  # (T, 3, H, W) -> (T, H, W, 3)
        numbers=origin[mine % len(origin)] if known else None,
        first=int(metainfo.get('start_index', 0)),
        total_frames=metainfo.get('total_frames') if known else None,
        fps=metainfo.get('avg_fps') if known else None,
        view=view,
        clips=clips,
        crops=crops,
    )


def one_view(inputs: Tensor, clip: ShownClip) -> Tensor:
    """Slice the view out of a model's input, (1, C, T, H, W), or (T, C, H, W) of a Recognizer2D."""
    length = 1 if inputs.dim() == 5 else len(clip.frames)
    return inputs[clip.view * length : (clip.view + 1) * length]


def _central_crop(metainfo: Mapping, crops: int) -> int:
    """The crop whose centre is nearest to the mean of all; the first where that is not known."""
    boxes = np.asarray(metainfo.get('crop_bbox', ()))
    if crops == 1 or boxes.ndim != 2 or len(boxes) % crops:
        return 0
    centres = boxes.reshape(crops, -1, 2, 2)[:, 0].mean(1)  # x1, y1, x2, y2 -> (crops, 2)
    return int(np.linalg.norm(centres - centres.mean(0), axis=1).argmin())
