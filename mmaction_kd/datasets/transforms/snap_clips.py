"""Align test clips to one grid of frames, so that overlapping clips share frames."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SnapClips(BaseTransform):
    """Move each clip to the nearest start on one grid with the clips' own stride.

    Ten clips of 16 frames, 8 apart, of a video of 300 frames start at 0, 20, 40, 60, 80, 99, ...:
    160 frames, 94 of them different. Moved to starts of 1, 17, 41, 57, 81, 97, ... they have 38
    different frames, which VTN encodes once (its ``share_frames``) and a reader decodes once.

    A clip moves by at most half of ``frame_interval``: for an interval of 8 by 4 frames, 0.16 s at
    25 fps. Its stride and order stay, and it stays in the video: the grid is centred between the
    first and the last possible start. A video that is shorter than a clip is not changed.

    Goes right after ``SampleFrames`` in a test pipeline, also inside PathwayPipelines. Required
    keys are ``frame_inds``, ``clip_len``, ``frame_interval``, ``total_frames`` and ``start_index``;
    ``frame_inds`` is changed.

    Differs from the paper: MBD's clips keep the starts of SampleFrames.

    Raises:
        ValueError: on a sample: the frames of a clip are not ``frame_interval`` apart.

    Example:
        >>> clips = dict(frame_inds=np.array([0, 8, 16, 11, 19, 27]), clip_len=3, frame_interval=8,
        ...              total_frames=28, start_index=0)
        >>> SnapClips()(clips)['frame_inds']
        array([ 1,  9, 17,  9, 17, 25])
    """

    def transform(self, results: dict) -> dict:
        length, stride = results['clip_len'], results['frame_interval']
        last_start = results['total_frames'] - 1 - (length - 1) * stride
        if last_start < 0:
            return results
        inds = results['frame_inds']
        clips = inds.reshape(-1, length) - results['start_index']  # (clips, T)
        offsets = stride * np.arange(length)
        starts = clips[:, :1]
        if not (clips - starts == offsets).all():
            raise ValueError(
                f'SnapClips: the frames of a clip must be frame_interval={stride} apart, got '
                f'{inds.tolist()}; put it right after a SampleFrames without temporal_jitter '
                'and target_fps.'
            )
        steps, margin = divmod(last_start, stride)
        first = margin // 2
        nearest = ((starts - first + stride // 2) // stride).clip(0, steps)
        moved = first + stride * nearest + offsets + results['start_index']
        results['frame_inds'] = moved.reshape(inds.shape).astype(inds.dtype)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
