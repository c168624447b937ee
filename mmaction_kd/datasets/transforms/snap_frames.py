"""Align the frames of clips to every n-th frame of a video."""

from __future__ import annotations

from mmcv.transforms import BaseTransform

from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SnapFrames(BaseTransform):
    """Move each frame of a clip back to the nearest of every n-th frame of the video.

    Clips then have frames 0, n, 2 n, ... only, so there are fewer to decode and to encode:
    :class:`LoadFrameFeatures` stores no others. A frame moves by at most n - 1. Goes after the
    sampler; if its ``frame_interval`` is a multiple of n, the stride of a clip stays. Required keys
    are ``frame_inds`` and ``start_index``; ``frame_inds`` is changed.

    Args:
        frame_interval: n, in frames of the video.

    Example:
        >>> SnapFrames(3)(dict(frame_inds=np.array([1, 4, 7, 8]), start_index=0))['frame_inds']
        array([0, 3, 6, 6])
    """

    @checked_options
    def __init__(self, frame_interval: Count) -> None:
        self.frame_interval = frame_interval

    def transform(self, results: dict) -> dict:
        inds = results['frame_inds']
        results['frame_inds'] = inds - (inds - results['start_index']) % self.frame_interval
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(frame_interval={self.frame_interval})'
