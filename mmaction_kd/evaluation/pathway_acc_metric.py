"""Accuracy of the fused scores and of each pathway alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmaction.evaluation import AccMetric

from mmaction_kd.evaluation.scored_video import scored_video
from mmaction_kd.registry import METRICS

FIELDS = {'fused': 'pred_score', 'local': 'local_score', 'global': 'global_score'}


@METRICS.register_module()
class PathwayAccMetric(AccMetric):
    """MMAction2's AccMetric on the fused scores and on each pathway's own.

    Reports ``acc/fused_top1``, ``acc/local_top1``, ``acc/global_top1``, and so on for each metric
    of ``metric_list``; ``mean1`` is the mean-class (balanced) accuracy, a ratio in [0, 1].

    Where the gate of an AdaptiveFusionHead kept videos from the global pathway, ``acc/global_...``
    are over the videos that it processed (absent if none), and ``acc/global_share`` is their share.

    Args are those of :class:`mmaction.evaluation.AccMetric`.

    Raises:
        ValueError: on a sample: it has not exactly one class among those of the scores.
        FloatingPointError: on a sample: a score is NaN or infinite.
    """

    def process(self, data_batch: Sequence[tuple[Any, dict]], data_samples: Sequence[dict]) -> None:
        found = []
        for index, sample in enumerate(data_samples):
            names = [name for name in FIELDS if name != 'global' or FIELDS[name] in sample]
            seen = scored_video(
                type(self).__name__, sample, index, [FIELDS[name] for name in names]
            )
            pred = {name: seen[FIELDS[name]] for name in names}
            found.append(dict(gt_label=seen['gt_label'], pred_score=pred))
        super().process(data_batch, found)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        seen = [result for result in results if 'global' in result['pred']]
        if len(seen) == len(results):
            return super().compute_metrics(results)
        found = super().compute_metrics([_only(result, 'fused', 'local') for result in results])
        if seen:
            found |= super().compute_metrics([_only(result, 'global') for result in seen])
        return {**found, 'global_share': len(seen) / len(results)}


def _only(result: dict, *names: str) -> dict:
    return dict(result, pred={name: result['pred'][name] for name in names})
