"""Data sets and transforms."""

from mmaction_kd.datasets.optical_flow_subset import OpticalFlowSubset
from mmaction_kd.datasets.skip_bad_videos import SkipBadVideos
from mmaction_kd.datasets.stored_teacher_views import StoredTeacherViews
from mmaction_kd.datasets.transforms import PathwayPipelines

__all__ = ['OpticalFlowSubset', 'PathwayPipelines', 'SkipBadVideos', 'StoredTeacherViews']
