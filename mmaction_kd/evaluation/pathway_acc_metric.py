"""Accuracy of the fused scores and of each pathway alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmaction.evaluation import AccMetric

from mmaction_kd.registry import METRICS


@METRICS.register_module()
class PathwayAccMetric(AccMetric):
    """MMAction2's AccMetric on the fused scores and on each pathway's own.

    Reports ``acc/fused_top1``, ``acc/local_top1``, ``acc/global_top1``, and so on for each metric
    of ``metric_list``; ``mean1`` is the mean-class (balanced) accuracy, a ratio in [0, 1].

    Args are those of :class:`mmaction.evaluation.AccMetric`.
    """

    def process(self, data_batch: Sequence[tuple[Any, dict]], data_samples: Sequence[dict]) -> None:
        """Take the scores of a batch.

        Args:
            data_batch: not used.
            data_samples: predictions of an MBDRecognizer, as dicts.
        """
        super().process(
            data_batch,
            [
                dict(
                    gt_label=sample['gt_label'],
                    pred_score=dict(
                        fused=sample['pred_score'],
                        local=sample['local_score'],
                        **{'global': sample['global_score']},
                    ),
                )
                for sample in data_samples
            ],
        )
