"""Distances of a student to its teachers, video by video, from dumped scores (DTKD, Fig. 8)."""

from __future__ import annotations

from pathlib import Path

import torch

from mmaction_kd.datasets.class_subsets import Subsets
from mmaction_kd.evaluation import SelectivityMetric
from mmaction_kd.evaluation.dumped_scores import load_scores


def teacher_distances(path: Path, subsets: Subsets) -> dict[str, dict[str, list[float]]]:
    """Compute ``KL(T‖S)`` of every test video to every teacher, as SelectivityMetric does.

    Args:
        path: a dump of a distiller's test with ``predict_teachers=True``.
        subsets: class indices of each subset, or the path of their file.

    Returns:
        Of each subset (of the videos), of each teacher, the distances in nats.

    Raises:
        ValueError: the dump has no scores of a teacher.
    """
    metric = SelectivityMetric(subsets)
    dumped = load_scores(path)
    samples = []
    for index, label in enumerate(dumped.labels):
        scores = {f'{name}_score': torch.from_numpy(s[index]) for name, s in dumped.scores.items()}
        samples.append(dict(gt_label=torch.tensor([int(label)]), **scores))
    metric.process([], samples)
    found: dict[str, dict[str, list[float]]] = {
        subset: {teacher: [] for teacher in metric.teachers} for subset in metric.teachers
    }
    for result in metric.results:
        for teacher in metric.teachers:
            found[result['subset']][teacher].append(result[teacher])
    return found
