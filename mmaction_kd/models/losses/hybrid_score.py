"""Hybrid score: how much a teacher is trusted on a sample (DTKD, equations 2-11).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130.

Values of the teachers are a dict {name: ...}. ``m_t`` is the mask of the samples that teacher t is
responsible for: those whose class is in its subset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from mmaction_kd.models.losses.group_mean import group_mean, group_size
from mmaction_kd.models.precision import at_least_float32


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


def log_soft_targets(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Compute (2) and (3): ``log softmax(z/T)``, of the student (p) or a teacher (q_t).

    Args:
        logits: ``z`` over all classes, (N, K).
        temperature: T, above 0.

    Returns:
        (N, K), float32 or wider; −inf where the logit is.
    """
    return (at_least_float32(logits) / temperature).log_softmax(1)


def confidence(log_q: Tensor) -> Tensor:
    """Compute (5): ``conf_t = max_k q_t(k)``, per sample.

    Args:
        log_q: (N, K).

    Returns:
        (N,), in (0, 1].
    """
    return log_q.amax(1).exp()


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Compute (6): ``CE_t = −log softmax(z_t)(y)`` at temperature 1, per sample.

    Args:
        logits: ``z_t`` over all classes, (N, K).
        targets: ``y``, class index of every sample, (N,).

    Returns:
        (N,), in nats; inf where the logit of the target is −inf.
    """
    return F.cross_entropy(at_least_float32(logits), targets, reduction='none')


def min_max(values: Tensor, scope: Tensor, degenerate: float = 0.0) -> Tensor:
    """Compute (7): ``CE_norm = (CE − min CE) / (max CE − min CE)`` over the samples in scope.

    For no samples, one, or equal ones (7) is 0/0. The minimum and maximum are over all ranks: the
    batch of (7) is that of an optimizer step.

    Args:
        values: ``CE``, (N,); may be infinite outside the scope.
        scope: mask of the samples to normalise over, (N,), bool.
        degenerate: the value in scope for 0/0, in [0, 1]; 0 is the limit of x/(x + ε).

    Returns:
        (N,), in [0, 1]; 1, the worst, outside the scope.
    """
    ends = torch.stack(
        [
            values.masked_fill(~scope, math.inf).min(),
            (-values).masked_fill(~scope, math.inf).min(),
        ]
    )
    all_reduce(ends, 'min')
    low, high = ends[0], -ends[1]
    spread = torch.where(high > low, high - low, math.inf)  # avoids a 0/0
    normalised = torch.where(high > low, (values - low) / spread, degenerate)
    return torch.where(scope, normalised, 1.0)


def hybrid_score(conf: Tensor, ce_norm: Tensor, s_alpha: float) -> Tensor:
    """Compute (8): ``s_t = S_α conf_t + (1 − S_α)(1 − CE_norm_t)``, per sample.

    Args:
        conf: (N,), in [0, 1].
        ce_norm: (N,), in [0, 1].
        s_alpha: S_α, in [0, 1].

    Returns:
        (N,), in [0, 1].
    """
    return s_alpha * conf + (1 - s_alpha) * (1 - ce_norm)


def normalise(scores: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Compute (9): ``w_t = s_t / Σ_t' s_t'``, per sample; they sum to 1.

    Differs from the paper: where all scores are 0, which (9) leaves open, the responsible teacher
    has weight 1. So a reading with no other teacher is BSKD for every score.

    Args:
        scores: ``s`` of each teacher, (N,), at least 0.
        masks: ``m`` of each teacher, (N,), bool.

    Returns:
        ``w`` of each teacher, (N,), in [0, 1].
    """
    total = torch.stack(list(scores.values())).sum(0)
    return {
        name: torch.where(total > 0, s / total.clamp_min(torch.finfo(s.dtype).tiny), masks[name])
        for name, s in scores.items()
    }


def zero_outside(values: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zero scores or weights outside the teacher's subset, as the text around (9) does.

    Args:
        values: of each teacher, (N,).
        masks: ``m`` of each teacher, (N,), bool.

    Returns:
        For each teacher (N,).
    """
    return {name: value.masked_fill(~masks[name], 0) for name, value in values.items()}


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
