"""Clips of every n-th frame of a video."""

from __future__ import annotations

from mmcv.transforms import BaseTransform

from mmaction_kd.options import check_range, checked_options
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SnapFrames(BaseTransform):
    """Move each frame of a clip back to the nearest of every n-th frame of the video.

    Frames 0, n, 2 n, ... are all that any clip then has, so that there are fewer to decode and to
    encode: :class:`LoadFrameFeatures` stores no others. A frame is at most n - 1 earlier. It
    follows the sampler; where the ``frame_interval`` of that is a multiple of n, the frames of a
    clip stay as far apart. Required keys are ``frame_inds`` and ``start_index``; ``frame_inds`` is
    changed.

    Args:
        frame_interval: n, in frames of the video.

    Raises:
        TypeError: If a setting is of another type than the signature says.
        ValueError: If ``frame_interval`` is less than 1.

    Example:
        >>> SnapFrames(3)(dict(frame_inds=np.array([1, 4, 7, 8]), start_index=0))['frame_inds']
        array([0, 3, 6, 6])
    """

    @checked_options
    def __init__(self, frame_interval: int) -> None:
        check_range('SnapFrames', 'frame_interval', frame_interval, 1)
        self.frame_interval = frame_interval

    def transform(self, results: dict) -> dict:
        """Move the frames.

        Args:
            results: The pipeline's dict.

        Returns:
            The same dict.
        """
        inds = results['frame_inds']
        results['frame_inds'] = inds - (inds - results['start_index']) % self.frame_interval
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(frame_interval={self.frame_interval})'
