"""Data sets and transforms."""

from mmaction_kd.datasets.optical_flow_subset import OpticalFlowSubset
from mmaction_kd.datasets.transforms import PathwayPipelines

__all__ = ['OpticalFlowSubset', 'PathwayPipelines']
