"""Metrics."""

from mmaction_kd.evaluation.pathway_acc_metric import PathwayAccMetric

__all__ = ['PathwayAccMetric']
