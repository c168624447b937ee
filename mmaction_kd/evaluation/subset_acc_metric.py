"""Accuracy over all classes, and over each subset of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from mmaction.evaluation import AccMetric
from mmengine.logging import MMLogger

from mmaction_kd.datasets.class_subsets import Subsets, check_partition, subset_indices
from mmaction_kd.evaluation.scored_video import scored_video
from mmaction_kd.options import checked_options
from mmaction_kd.registry import METRICS


def class_accuracies(
    preds: np.ndarray, labels: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the top-1 accuracy of every class.

    Args:
        preds: predicted class of every video, (N,).
        labels: true class of every video, (N,).
        num_classes: K.

    Returns:
        Accuracy, (K,), a ratio, NaN for a class without videos; and the number of videos, (K,).
    """
    counts = np.bincount(labels, minlength=num_classes)
    hits = np.bincount(labels[preds == labels], minlength=num_classes)
    return np.where(counts > 0, hits / np.maximum(counts, 1), np.nan), counts


@METRICS.register_module()
class SubsetAccMetric(AccMetric):
    """MMAction2's AccMetric, and the mean-class accuracy within each subset of the classes.

    Reports ``acc/top1``, ``acc/top5``, ``acc/mean1`` and for each subset s ``acc/s_mean1``: the
    mean over the classes of s, each by its own videos, predictions being over all K classes.
    Classes without videos are left out of it. Logs a table with every class, worst first. Each
    video has one class: soft labels and several classes a video are refused.

    Args:
        subsets: class indices of each subset, each class in exactly one; or the path of a file
            with them, see :func:`~mmaction_kd.datasets.class_subsets.load_subsets`.
        per_class_table: whether to log the table.
        collect_device: as in AccMetric.
        prefix: as in AccMetric.

    Raises:
        ValueError: the subsets leave a class out or name one twice.
    """

    @checked_options
    def __init__(
        self,
        subsets: Subsets,
        per_class_table: bool = True,
        collect_device: Literal['cpu', 'gpu'] = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.subsets = subset_indices(subsets)
        check_partition(type(self).__name__, 'subsets', self.subsets)
        self.per_class_table = per_class_table

    def process(self, data_batch: Sequence[tuple[Any, dict]], data_samples: Sequence[dict]) -> None:
        """Add the scores of a batch, each checked by :func:`.scored_video`."""
        me = type(self).__name__
        super().process(
            data_batch, [scored_video(me, sample, i) for i, sample in enumerate(data_samples)]
        )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute all accuracies; ValueError if the model and the subsets differ in classes."""
        scores = np.stack([result['pred'] for result in results])  # (N, K)
        labels = np.array([result['label'] for result in results])
        num_classes = sum(len(classes) for classes in self.subsets.values())
        if scores.shape[1] != num_classes:
            raise ValueError(
                f'{type(self).__name__}: the subsets must hold as many classes as the model scores '
                f'({scores.shape[1]}), got {num_classes}; use the subsets of this data set.'
            )
        accuracies, counts = class_accuracies(scores.argmax(1), labels, num_classes)
        found = dict(super().compute_metrics(results))
        for name, classes in self.subsets.items():
            present = [index for index in classes if counts[index]]
            found[f'{name}_mean1'] = float(accuracies[present].mean()) if present else float('nan')
        if self.per_class_table:
            MMLogger.get_current_instance().info(self._table(accuracies, counts))
        return found

    def _table(self, accuracies: np.ndarray, counts: np.ndarray) -> str:
        names = (self.dataset_meta or {}).get('classes') or range(len(counts))
        subset_of = {index: name for name, classes in self.subsets.items() for index in classes}
        lines = ['class | subset | videos | top1', '--- | --- | --- | ---']
        for index in np.argsort(accuracies, kind='stable'):  # NaN comes last
            top1 = f'{accuracies[index]:.4f}' if counts[index] else '-'
            lines.append(f'{names[index]} | {subset_of[index]} | {counts[index]} | {top1}')
        return 'Accuracy by class\n' + '\n'.join(lines)
