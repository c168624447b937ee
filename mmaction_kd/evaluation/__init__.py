"""Metrics, and what reads dumped scores. Pages and figures of a run are elsewhere."""

from mmaction_kd.evaluation.pathway_acc_metric import PathwayAccMetric
from mmaction_kd.evaluation.selectivity_metric import SelectivityMetric
from mmaction_kd.evaluation.subset_acc_metric import SubsetAccMetric

__all__ = ['PathwayAccMetric', 'SelectivityMetric', 'SubsetAccMetric']
