"""Clips of a given length in time, which a shorter video fills by itself."""

from __future__ import annotations

from mmaction.datasets.transforms import SampleFrames

from mmaction_kd.options import check_range, checked_options
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FittedSampleFrames(SampleFrames):
    """SampleFrames whose clip spans no more than the video.

    A clip spans ``clip_len * frame_interval`` frames at ``target_fps``, or the video where that is
    shorter; its ``clip_len`` frames are spread evenly over the span. All else is MMAction2's, which
    fills what the video lacks with repeated frames.

    Args:
        clip_len: frames of a clip.
        frame_interval: from one frame to the next, in frames at ``target_fps``.
        target_fps: frames per second that a video is taken to have; with it MMAction2 spreads the
            frames over the span.
        kwargs: of SampleFrames.

    Example:
        >>> sample = FittedSampleFrames(4, 8, target_fps=30, test_mode=True)
        >>> video = dict(total_frames=16, start_index=0, avg_fps=30)  # of the 32 frames of a clip
        >>> sample(video)['frame_inds']
        array([ 0,  5, 10, 15], dtype=int32)
    """

    @checked_options
    def __init__(self, clip_len: int, frame_interval: int, target_fps: int, **kwargs) -> None:
        for name, value in dict(
            clip_len=clip_len, frame_interval=frame_interval, target_fps=target_fps
        ).items():
            check_range(type(self).__name__, name, value, 1)
        super().__init__(clip_len, frame_interval, target_fps=target_fps, **kwargs)
        self._total_frames = 0

    def transform(self, results: dict) -> dict:
        """Sample the frames.

        Args:
            results: the pipeline's dict, with ``total_frames``, ``start_index`` and ``avg_fps``.

        Returns:
            The same dict, with ``frame_inds``.
        """
        self._total_frames = results['total_frames']
        return super().transform(results)

    def _get_ori_clip_len(self, fps_scale_ratio: float) -> float:
        return min(super()._get_ori_clip_len(fps_scale_ratio), self._total_frames)
