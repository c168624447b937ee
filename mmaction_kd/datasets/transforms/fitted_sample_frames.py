"""SampleFrames whose clip is at most as long as the video."""

from __future__ import annotations

from mmaction.datasets.transforms import SampleFrames

from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FittedSampleFrames(SampleFrames):
    """SampleFrames whose clip spans no more than the video.

    A clip spans ``clip_len * frame_interval`` frames at ``target_fps``, or the video if that is
    shorter; its frames are spread evenly over the span. MMAction2's own step repeats frames
    instead.

    Args:
        clip_len: frames of a clip.
        frame_interval: from one frame to the next, in frames at ``target_fps``.
        target_fps: frame rate to which the video is resampled; MMAction2 spreads frames over a span
            only with it.
        kwargs: of SampleFrames.

    Example:
        >>> sample = FittedSampleFrames(4, 8, target_fps=30, test_mode=True)
        >>> video = dict(total_frames=16, start_index=0, avg_fps=30)  # of the 32 frames of a clip
        >>> sample(video)['frame_inds']
        array([ 0,  5, 10, 15], dtype=int32)
    """

    @checked_options
    def __init__(self, clip_len: Count, frame_interval: Count, target_fps: Count, **kwargs) -> None:
        super().__init__(clip_len, frame_interval, target_fps=target_fps, **kwargs)
        self._total_frames = 0

    def transform(self, results: dict) -> dict:
        self._total_frames = results['total_frames']
        return super().transform(results)

    def _get_ori_clip_len(self, fps_scale_ratio: float) -> float:
        return min(super()._get_ori_clip_len(fps_scale_ratio), self._total_frames)
