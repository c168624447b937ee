"""Transforms."""

from mmaction_kd.datasets.transforms.pathway_pipelines import PathwayPipelines
from mmaction_kd.datasets.transforms.uniform_three_crop import UniformThreeCrop

__all__ = ['PathwayPipelines', 'UniformThreeCrop']
