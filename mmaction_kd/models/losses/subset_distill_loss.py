"""Several teachers, each for its subset of the classes, teach one student (DTKD, eqs. 2-13).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmaction_kd.datasets.class_subsets import Subsets, check_partition, subset_indices
from mmaction_kd.models.checks import check_batch
from mmaction_kd.models.losses.hybrid_score import (
    TeacherWeighting,
    cross_entropy,
    log_soft_targets,
    normalise,
)
from mmaction_kd.models.reductions import at_least_float32, group_mean, group_size
from mmaction_kd.observations import (
    LOSS_KD,
    LOSS_TEACHER,
    RESPONSIBLE,
    SHARE,
    TEACHER_WEIGHTS,
    WEIGHT,
    WRONG_SHARE,
    observe,
)
from mmaction_kd.options import Count, Positive, Ratio, checked_options
from mmaction_kd.registry import MODELS


def full_width(
    logits: Tensor, classes: Tensor, num_classes: int, mask_value: float | None = -math.inf
) -> Tensor:
    """Mask a teacher's logits to all K classes, before equation (3).

    Args:
        logits: of a subset head, (N, D) with D = len(classes), or of a full head, (N, K).
        classes: the teacher's subset, class indices in the order of a subset head, (D,).
        num_classes: K.
        mask_value: the logit outside the subset; None leaves a full head as it is.

    Returns:
        (N, K), float32 or wider.
    """
    logits = at_least_float32(logits)
    if mask_value is None:
        return logits
    inside = logits if logits.shape[1] == len(classes) else logits[:, classes]
    masked = logits.new_full((len(logits), num_classes), mask_value)
    return masked.index_copy(1, classes, inside)  # (N, D) -> (N, K)


def final_soft_targets(
    weights: Mapping[str, Tensor], log_q: Mapping[str, Tensor], masks: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Compute (10): ``q_final = Σ_t w_t q_t = w q``, as its mass and a distribution.

    Args:
        weights: ``w`` of each teacher, (N,).
        log_q: ``log q`` of each teacher, (N, K).
        masks: ``m`` of each teacher, (N,), bool; they decide q where the mass is 0.

    Returns:
        The mass ``w = Σ_t w_t``, (N,), and ``log q``, (N, K), with ``Σ_k q(k) = 1``.
    """
    mass = torch.stack(list(weights.values())).sum(0)
    shares = normalise(weights, masks)
    parts = [shares[name].log()[:, None] + log_q[name] for name in weights]
    return mass, torch.logsumexp(torch.stack(parts), dim=0)


def kl_divergence(log_q: Tensor, log_p: Tensor, direction: str = 'teacher_student') -> Tensor:
    """Compute (11) for each sample: ``KL(q‖p) = Σ_k q(k) log(q(k)/p(k))``, with 0 log 0 = 0.

    Differs from the paper, which writes KL(p‖q_final) with p a log-softmax. That is the argument
    order of PyTorch's KLDivLoss, so the teacher is first here. KL(p‖q) is infinite where q is 0.

    Args:
        log_q: of the teacher, (N, K).
        log_p: of the student, (N, K).
        direction: 'teacher_student' KL(q‖p) or 'student_teacher' KL(p‖q).

    Returns:
        (N,), in nats.
    """
    if direction == 'teacher_student':
        return F.kl_div(log_p, log_q.exp(), reduction='none').sum(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def reduce_batch(
    per_sample: Tensor, masks: Mapping[str, Tensor], num_classes: int, reduction: str = 'batchmean'
) -> Tensor:
    """Reduce the divergences of (11) over the batch.

    Args:
        per_sample: (N,).
        masks: ``m`` of each teacher, (N,), bool.
        num_classes: K.
        reduction: 'batchmean' (1/N); 'mean' (1/(N K), PyTorch's own default); or 'subset' (the sum
            of each subset's mean, its samples counted over all ranks).

    Returns:
        Scalar.
    """
    if reduction == 'subset':
        means = [group_mean(per_sample, mask, group_size(mask)) for mask in masks.values()]
        return torch.stack(means).sum()
    return per_sample.mean() / (num_classes if reduction == 'mean' else 1)


@MODELS.register_module()
class SubsetDistillLoss(nn.Module):
    """DTKD's loss: distill from the teachers of the class subsets, weighted for each sample.

    ::

        q_t     = softmax(z_t / T),  0 outside the subset of t              (3)
        w_t     = weighting(z_t, m_t, y)                                    (5)-(9)
        q_final = Σ_t w_t q_t = w q                                         (10)
        L_KD    = mean_i w_i KL(q_i‖p_i),  p = softmax(z / T)               (2), (11)
        L_total = α T² L_KD + (1 − α) L_CE                                  (13)

    ``L_CE`` (12) comes from the student's own head, to be multiplied by :attr:`ce_weight`. No
    gradient of ``L_KD`` reaches a teacher, through q or through w.

    Each sample has one class, whose teacher is responsible. A soft label (Mixup, CutMix) over two
    subsets has no responsible teacher, so soft labels are refused. K is at least 2, one class for
    each of two teachers. Sums are in float32 or wider for scores of any precision.

    Source: DTKD, equations (2), (3), (10)-(13). Differs from the paper: the literal (11) is the
    mean above plus the constant ``w log w``, which is added only with ``log_w_term``.

    Args:
        num_classes: K.
        subsets: for each teacher, by name, its classes (indices among the K, in the order of its
            head where that is a subset head); each class belongs to exactly one. Or the path of a
            file with them, see :func:`~mmaction_kd.datasets.class_subsets.load_subsets`.
        weighting: settings of :class:`~mmaction_kd.models.losses.HybridScore`, or the config of
            another :class:`~mmaction_kd.models.losses.hybrid_score.TeacherWeighting`, such as
            :class:`~mmaction_kd.models.losses.ResponsibleTeacher` for BSKD.
        kd_weight: α of (13), in [0, 1].
        kd_temperature: T of (2) and (3), above 0.
        t_squared: multiply by T² as in (13).
        teacher_head: 'subset' (as many outputs as the teacher has classes) or 'full' (K).
        mask_value: the teacher's logit outside its subset; None leaves a full head unmasked.
        kl_direction: 'teacher_student' KL(q‖p), or 'student_teacher' KL(p‖q), which needs a q
            without zeros.
        reduction: 'batchmean', 'mean' or 'subset', see :func:`reduce_batch`.
        log_w_term: add ``w log w`` of the literal (11), which has no gradient.

    Raises:
        ValueError: the subsets are no partition of the classes, or two settings exclude each other.
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        subsets: Subsets,
        weighting: Mapping | None = None,
        kd_weight: Ratio = 0.4,
        kd_temperature: Positive = 2.0,
        t_squared: bool = True,
        teacher_head: Literal['subset', 'full'] = 'subset',
        mask_value: float | None = -math.inf,
        kl_direction: Literal['teacher_student', 'student_teacher'] = 'teacher_student',
        reduction: Literal['batchmean', 'mean', 'subset'] = 'batchmean',
        log_w_term: bool = False,
    ) -> None:
        super().__init__()
        me = type(self).__name__
        teachers = subset_indices(subsets)
        check_partition(me, 'subsets', teachers, num_classes)
        if mask_value == math.inf:
            raise ValueError(
                f'{me}: mask_value must be a low logit or None, got {mask_value}; -inf masks.'
            )
        if mask_value is None and teacher_head == 'subset':
            raise ValueError(
                f"{me}: mask_value=None needs teacher_head='full', got 'subset'; a subset head has "
                'no logits outside its subset.'
            )
        if kl_direction == 'student_teacher' and mask_value == -math.inf:
            raise ValueError(
                f"{me}: kl_direction='student_teacher' needs soft targets without zeros, got "
                f'mask_value={mask_value}; give a finite mask_value, or None with '
                "teacher_head='full'."
            )
        if kl_direction == 'student_teacher' and log_w_term:
            raise ValueError(
                f"{me}: log_w_term=True needs kl_direction='teacher_student', got "
                "'student_teacher'; the term belongs to KL(q_final‖p)."
            )
        self.weighting: TeacherWeighting = MODELS.build(
            {'type': 'mmaction_kd.HybridScore', **(weighting or {})}
        )
        if self.weighting.needs_full_heads and mask_value is not None:
            raise ValueError(
                f'{me}: {self.weighting.needs_full_heads} needs mask_value=None with '
                f"teacher_head='full', got mask_value={mask_value}; the cross-entropy of a masked "
                'label drowns all others.'
            )
        self.num_classes = num_classes
        self.teachers = tuple(teachers)
        self.kd_weight = kd_weight
        self.kd_temperature = kd_temperature
        self.t_squared = t_squared
        self.teacher_head = teacher_head
        self.mask_value = mask_value
        self.kl_direction = kl_direction
        self.reduction = reduction
        self.log_w_term = log_w_term
        for name, classes in teachers.items():  # not persistent: the checkpoint is the student's
            self.register_buffer(f'{name}_classes', torch.tensor(list(classes)), persistent=False)

    @property
    def head_widths(self) -> dict[str, int]:
        """Number of outputs that each teacher's head must have."""
        return {
            name: len(self._classes(name)) if self.teacher_head == 'subset' else self.num_classes
            for name in self.teachers
        }

    @property
    def head_classes(self) -> dict[str, tuple[int, ...]]:
        """Class indices among the K for the outputs of each teacher's head."""
        if self.teacher_head == 'full':
            return dict.fromkeys(self.teachers, tuple(range(self.num_classes)))
        return {name: tuple(self._classes(name).tolist()) for name in self.teachers}

    @property
    def ce_weight(self) -> float:
        """``1 − α`` of (13), the factor of the student's own losses."""
        return 1 - self.kd_weight

    def responsible(self, targets: Tensor) -> dict[str, Tensor]:
        """Compute (4), the samples that each teacher is responsible for.

        Args:
            targets: class index of every sample, (N,).

        Returns:
            For each teacher the mask (N,) of its samples, bool; each sample is in exactly one.
        """
        return {name: torch.isin(targets, self._classes(name)) for name in self.teachers}

    def needed(self, targets: Tensor) -> dict[str, Tensor]:
        """Find the samples for which the loss needs the logits of each teacher.

        Args:
            targets: class index of every sample, (N,).

        Returns:
            For each teacher a mask (N,), bool: its own samples where the weighting is ``routed``,
            else all.
        """
        masks = self.responsible(targets)
        if self.weighting.routed:
            return masks
        return {name: torch.ones_like(mask) for name, mask in masks.items()}

    def forward(
        self, student_logits: Tensor, teacher_logits: Mapping[str, Tensor], targets: Tensor
    ) -> dict[str, Tensor]:
        """Compute the distillation term of (13), and its statistics.

        Args:
            student_logits: ``z``, (N, K).
            teacher_logits: ``z_t`` of each teacher, (N, classes of its head); rows that are not
                :meth:`needed` may hold anything.
            targets: class index of every sample, (N,).

        Returns:
            Scalars: ``loss_kd`` (``α T² L_KD``), and as statistics for each teacher t ``t/share``
            (share of the batch that t is responsible for), ``t/weight`` (mean w of these samples)
            and ``t/wrong_share`` (share of these samples that t misclassifies), in [0, 1].

        Raises:
            ValueError: a teacher's head does not have the width of ``teacher_head``, the
                student's scores are not (N, K), or a target is no class index.
        """
        check_batch(type(self).__name__, dict(student=student_logits), targets, self.num_classes)
        with torch.no_grad():
            masks = self.responsible(targets)
            logits = self._full_width(teacher_logits, self.needed(targets))
            weights = self.weighting(logits, masks, targets, self.kd_temperature)
            observe(TEACHER_WEIGHTS, self.num_classes, targets, weights)
            observe(RESPONSIBLE, self.num_classes, targets, masks)
            log_q = {n: log_soft_targets(z, self.kd_temperature) for n, z in logits.items()}
            w, log_q_final = final_soft_targets(weights, log_q, masks)
        log_p = log_soft_targets(student_logits, self.kd_temperature)
        per_sample = w * kl_divergence(log_q_final, log_p, self.kl_direction)
        if self.log_w_term:
            per_sample = per_sample + torch.xlogy(w, w)
        kd = reduce_batch(per_sample, masks, self.num_classes, self.reduction)
        scale = self.kd_temperature**2 if self.t_squared else 1.0
        terms = {LOSS_KD: self.kd_weight * scale * kd}
        for name, mask in masks.items():
            size = mask.sum().clamp_min(1)
            terms[f'{name}/{SHARE}'] = mask.float().mean()
            terms[f'{name}/{WEIGHT}'] = (weights[name] * mask).sum() / size
            wrong = (logits[name].argmax(1) != targets) & mask
            terms[f'{name}/{WRONG_SHARE}'] = wrong.sum() / size
        return terms

    def teacher_losses(
        self, teacher_logits: Mapping[str, Tensor], targets: Tensor
    ) -> dict[str, Tensor]:
        """Compute the loss of teachers that are trained along: (6) on their own samples.

        Not in the paper, whose KD gradients reach only the student. Samples are counted over all
        ranks; a teacher without samples gets 0 with valid gradients.

        Args:
            teacher_logits: as in :meth:`forward`.
            targets: class index of every sample, (N,).

        Returns:
            For each teacher t ``t/loss_teacher``, the mean cross-entropy of its samples.
        """
        masks = self.responsible(targets)
        losses = {}
        for name, logits in self._full_width(teacher_logits, masks).items():
            inside = torch.where(masks[name], targets, self._classes(name)[0])
            ce = cross_entropy(logits, inside)
            losses[f'{name}/{LOSS_TEACHER}'] = group_mean(ce, masks[name], group_size(masks[name]))
        return losses

    def teacher_probs(self, name: str, logits: Tensor) -> Tensor:
        """Compute a teacher's probabilities at temperature 1: ``softmax(z_t)`` over all classes.

        Args:
            name: the teacher.
            logits: ``z_t``, (N, classes of its head).

        Returns:
            (N, K), float32 or wider; 0 outside a masked teacher's subset.
        """
        return log_soft_targets(self._mask(name, logits)).exp()

    def _classes(self, name: str) -> Tensor:
        return self.get_buffer(f'{name}_classes')

    def _full_width(
        self, teacher_logits: Mapping[str, Tensor], needed: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Mask each teacher's logits to all classes; rows not needed are 0 before masking."""
        full = {}
        for name, width in self.head_widths.items():
            logits = teacher_logits[name]
            if logits.shape[1] != width:
                raise ValueError(
                    f"{type(self).__name__}: teacher '{name}' must have {width} outputs with "
                    f"teacher_head='{self.teacher_head}', got {logits.shape[1]}; set num_classes "
                    'of its head, or teacher_head.'
                )
            logits = logits.masked_fill(~needed[name][:, None], 0)
            full[name] = self._mask(name, logits)
        return full

    def _mask(self, name: str, logits: Tensor) -> Tensor:
        return full_width(logits, self._classes(name), self.num_classes, self.mask_value)
