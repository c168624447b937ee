"""Whether a student imitates each teacher on that teacher's own classes, and only there.

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130, Table 6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmaction_kd.datasets.class_subsets import Subsets, check_partition, subset_indices
from mmaction_kd.evaluation.scored_video import scored_video
from mmaction_kd.models.losses.subset_distill_loss import kl_divergence
from mmaction_kd.options import Range, checked_options
from mmaction_kd.registry import METRICS


def selectivity(kl: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Compute ``SM = cross − matched`` and ``SIR = cross / matched`` of each subset.

    On the videos of a subset, ``matched`` is the distance to the subset's own teacher and ``cross``
    the distance to the other (the mean over the others where there are several).

    Source: DTKD, Table 6. Its SIR of the dynamic subset of HMDB51 is printed as 7.00, but is
    15.04 / 1.88 = 8.00.

    Args:
        kl: mean distance to teacher t on the videos of subset s, ``kl[t][s]``, in nats.

    Returns:
        For each subset ``sm`` (nats) and ``sir`` (ratio, inf where matched is 0).

    Example:
        >>> static, dynamic = dict(static=1.0, dynamic=9.0), dict(static=5.0, dynamic=3.0)
        >>> selectivity(dict(static=static, dynamic=dynamic))['static']
        {'sm': 4.0, 'sir': 5.0}
    """
    found = {}
    for own in kl:
        others = [kl[name][own] for name in kl if name != own]
        cross, matched = sum(others) / len(others), kl[own][own]
        found[own] = dict(sm=cross - matched, sir=cross / matched if matched else math.inf)
    return found


@METRICS.register_module()
class SelectivityMetric(BaseMetric):
    """Distance between the student's distribution and each teacher's: Table 6 of DTKD.

    A data sample holds ``gt_label``, the student's ``pred_score`` and for each teacher t
    ``t_score``, such as ``static_score``: probabilities over all K classes, 0 where the teacher
    gives none.

    Reports for each teacher t ``selectivity/t_teacher_all`` and, for each subset s of the videos,
    ``selectivity/t_teacher_s``: mean KL at temperature 1, in nats; and ``selectivity/s_sm``,
    ``selectivity/s_sir``, see :func:`selectivity`. A subset without videos gives NaN.

    Source: DTKD, Table 6. Differs from the paper: it writes KL(S‖T), which is infinite for teachers
    with a head of their subset only, yet its values are finite; KL(T‖S) is the default.

    Args:
        subsets: class indices of each subset, under its teacher's name, each class in one; or the
            path of a file with them, see :func:`~mmaction_kd.datasets.class_subsets.load_subsets`.
        direction: 'teacher_student' KL(T‖S), or 'student_teacher' KL(S‖T), which needs full heads
            or ``eps``.
        eps: smallest probability of the second distribution, in [0, 1).
        collect_device: as in BaseMetric.
        prefix: as in BaseMetric.
    """

    default_prefix = 'selectivity'

    @checked_options
    def __init__(
        self,
        subsets: Subsets,
        direction: Literal['teacher_student', 'student_teacher'] = 'teacher_student',
        eps: Annotated[float, Range(0, below=1)] = 0.0,
        collect_device: Literal['cpu', 'gpu'] = 'cpu',
        prefix: str | None = None,
    ) -> None:
        me = type(self).__name__
        super().__init__(collect_device=collect_device, prefix=prefix)
        indices = subset_indices(subsets)
        check_partition(me, 'subsets', indices)
        self.subset_of = {index: name for name, classes in indices.items() for index in classes}
        self.teachers = tuple(indices)
        self.direction = direction
        self.eps = eps

    def process(self, data_batch: Sequence[tuple[Any, dict]], data_samples: Sequence[dict]) -> None:
        """Add the distances of a batch.

        Raises:
            ValueError: a field is missing or no distribution over all classes, a video has not
                exactly one class among them, or the direction needs the logarithm of 0.
            FloatingPointError: a score is NaN or infinite.
        """
        fields = ['pred_score', *(f'{name}_score' for name in self.teachers)]
        for index, sample in enumerate(data_samples):
            for field in fields:
                self._check_field(sample, field)
            sample = scored_video(type(self).__name__, sample, index, fields)
            student = self._probs(sample, 'pred_score')
            result: dict[str, float | str] = dict(subset=self.subset_of[sample['gt_label'].item()])
            for name in self.teachers:
                teacher = self._probs(sample, f'{name}_score')
                result[name] = self._kl(name, teacher, student)
            self.results.append(result)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        groups = {'all': results}
        for subset in self.teachers:
            groups[subset] = [result for result in results if result['subset'] == subset]
        kl = {
            name: {group: _mean([result[name] for result in of]) for group, of in groups.items()}
            for name in self.teachers
        }
        found = {f'{name}_teacher_{group}': kl[name][group] for name in kl for group in kl[name]}
        for subset, values in selectivity(kl).items():
            found |= {f'{subset}_{key}': value for key, value in values.items()}
        return found

    def _check_field(self, sample: dict, field: str) -> None:
        if field not in sample:
            raise ValueError(
                f"{type(self).__name__}: a data sample must hold '{field}', got {sorted(sample)}; "
                'evaluate the distiller, which predicts the scores of its teachers.'
            )

    def _probs(self, sample: dict, field: str) -> Tensor:
        me, num_classes = type(self).__name__, len(self.subset_of)
        probs = sample[field].detach().cpu().double()
        if probs.shape != (num_classes,) or abs(probs.sum() - 1) > 1e-2 or probs.min() < 0:
            raise ValueError(
                f"{me}: '{field}' must be probabilities over the {num_classes} classes, got shape "
                f"{tuple(probs.shape)}, sum {probs.sum():.4g}; average_clips='prob' makes them."
            )
        return probs

    def _kl(self, name: str, teacher: Tensor, student: Tensor) -> float:
        tiny = torch.finfo(torch.float64).tiny  # replaces a probability that underflowed
        floor = max(self.eps, tiny)
        if self.direction == 'teacher_student':
            log_q, log_p = teacher.clamp_min(tiny).log(), student.clamp_min(floor).log()
        else:
            if self.eps == 0 and not teacher.all():
                raise ValueError(
                    f"{type(self).__name__}: direction='student_teacher' needs teachers that give "
                    f"each class a probability, got 0 from '{name}'; use full heads without mask, "
                    'or eps above 0.'
                )
            log_q, log_p = teacher.clamp_min(floor).log(), student.clamp_min(tiny).log()
        return kl_divergence(log_q[None], log_p[None], self.direction).item()


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
