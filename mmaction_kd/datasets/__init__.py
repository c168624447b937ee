from mmaction_kd.datasets.transforms import PathwayPipelines

__all__ = ['PathwayPipelines']
