"""Data sets and transforms."""

from mmaction_kd.datasets.optical_flow_subset import OpticalFlowSubset
from mmaction_kd.datasets.skip_bad_videos import SkipBadVideos
from mmaction_kd.datasets.transforms import PathwayPipelines
from mmaction_kd.stored_teachers.stored_teacher_views import StoredTeacherViews

__all__ = ['OpticalFlowSubset', 'PathwayPipelines', 'SkipBadVideos', 'StoredTeacherViews']
