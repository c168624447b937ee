"""Data sets, their wrappers and transforms: everything between a file and a sample.

Class subsets and names are here, too, as every reader of labels needs them. What belongs to stored
teachers is in :mod:`mmaction_kd.stored_teachers`.
"""

from mmaction_kd.datasets.optical_flow_subset import OpticalFlowSubset
from mmaction_kd.datasets.skip_bad_videos import SkipBadVideos
from mmaction_kd.datasets.transforms import PathwayPipelines

__all__ = ['OpticalFlowSubset', 'PathwayPipelines', 'SkipBadVideos']
