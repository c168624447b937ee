"""Weights of the teachers, from their hybrid scores (DTKD, equations 2-9).

Source: Park and Cho, "Subset-Aware Dual-Teacher Knowledge Distillation with Hybrid Scoring for
Human Activity Recognition", Electronics 2025, 14(20), 4130.

Values of the teachers are a dict {name: ...}. ``m_t`` is the mask of the samples that teacher t is
responsible for: those whose class is in its subset.
"""

from __future__ import annotations

import math
from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmaction_kd.models.reductions import at_least_float32
from mmaction_kd.options import Ratio, checked_options
from mmaction_kd.registry import MODELS


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


class TeacherWeighting(nn.Module, metaclass=ABCMeta):
    """Base of the weightings of a :class:`~mmaction_kd.models.losses.SubsetDistillLoss`."""

    routed = False
    """Whether the weights depend on the responsible teacher of a sample only."""
    needs_full_heads = ''
    """The setting that needs logits of every teacher for every class; '' where none does."""

    @abstractmethod
    def forward(
        self,
        logits: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        targets: Tensor,
        temperature: float,
    ) -> dict[str, Tensor]:
        """Compute (9), the weights of the teachers in (10).

        Args:
            logits: ``z`` of each teacher over all classes, (N, K).
            masks: ``m`` of each teacher, (N,), bool; each sample is in exactly one.
            targets: class index of every sample, (N,).
            temperature: T of the soft targets.

        Returns:
            ``w`` of each teacher, (N,), in [0, 1].
        """


@MODELS.register_module()
class ResponsibleTeacher(TeacherWeighting):
    """BSKD, the paper's baseline: the responsible teacher of a sample has weight 1.

    ``L_KD = mean_i KL(q_r‖p)``, r the teacher of sample i.

    Source: DTKD, 4.4; its exact loss is not stated. ``order='zero_then_normalise'`` of
    :class:`HybridScore` is the same function.
    """

    routed = True

    def forward(
        self,
        logits: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        targets: Tensor,
        temperature: float,
    ) -> dict[str, Tensor]:
        """Return the masks as numbers; see the base class."""
        return {name: mask.to(logits[name].dtype) for name, mask in masks.items()}


@MODELS.register_module()
class HybridScore(TeacherWeighting):
    """DTKD: weight the teachers of a sample by their confidence and their cross-entropy.

    For each teacher t, over the samples of its subset::

        conf_t = max_k q_t(k)                                       (5)
        CE_t   = −log softmax(z_t)(y),  CE_norm_t = min-max(CE_t)   (6), (7)
        s_t    = S_α conf_t + (1 − S_α)(1 − CE_norm_t)              (8)
        w_t    = s_t / Σ_t' s_t',  0 outside the subset of t        (9)

    The text defines (9) over both teachers and then zeroes the teacher that is not responsible, n.
    But (5) and (6) define no score for n. Readings, with the weight of the responsible teacher r::

        order                outside_score    w_r                        teachers a sample needs
        normalise_then_zero  teacher          s_r / (s_r + S_α conf_n)   all (default)
        normalise_then_zero  buffer           s_r / (s_r + 1 − S_α)      r
        normalise_then_zero  zero             1, which is BSKD           r
        zero_then_normalise  any              1, which is BSKD           r
        mixture              any              as above, n not zeroed     all

    Source: DTKD, equations (5)-(9). Differs from the paper: the minimum and maximum of (7) are
    taken over all ranks; CE_norm of 0 or 1 sample, or of equal ones, is set by a key.

    Args:
        s_alpha: S_α of (8), in [0, 1].
        order: what is zeroed outside a teacher's subset: 'normalise_then_zero', the weights;
            'zero_then_normalise', the scores; 'mixture', nothing.
        outside_score: the score of a teacher that is not responsible: 'teacher' (its confidence,
            with CE_norm 1, the worst, as the label is none of its classes), 'buffer' (conf and
            CE_norm initialised with 0) or 'zero' (score initialised with 0).
        renormalise: normalise once more after zeroing; with ``normalise_then_zero`` this is BSKD.
        ce_norm_scope: the samples of (7): the 'subset' that a teacher is responsible for, or the
            complete 'batch' (needs unmasked full heads).
        ce_norm_degenerate: CE_norm where (7) is 0/0, in [0, 1].
        conf_temperature: temperature of the softmax of (5), 'kd' (that of the soft targets) or 1.
    """

    @checked_options
    def __init__(
        self,
        s_alpha: Ratio = 0.3,
        order: Literal['normalise_then_zero', 'zero_then_normalise', 'mixture'] = (
            'normalise_then_zero'
        ),
        outside_score: Literal['teacher', 'buffer', 'zero'] = 'teacher',
        renormalise: bool = False,
        ce_norm_scope: Literal['subset', 'batch'] = 'subset',
        ce_norm_degenerate: Ratio = 0.0,
        conf_temperature: Literal['kd', 1] = 'kd',
    ) -> None:
        super().__init__()
        self.s_alpha = s_alpha
        self.order = order
        self.outside_score = outside_score
        self.renormalise = renormalise
        self.ce_norm_scope = ce_norm_scope
        self.ce_norm_degenerate = ce_norm_degenerate
        self.conf_temperature = conf_temperature

    @property
    def routed(self) -> bool:  # type: ignore[override]
        """Whether the weights depend on the responsible teacher of a sample only."""
        if self.order == 'mixture':
            return False
        weight_is_one = self.order == 'zero_then_normalise' or self.renormalise
        only_its_own_score = self.outside_score != 'teacher' and self.ce_norm_scope == 'subset'
        return weight_is_one or only_its_own_score

    @property
    def needs_full_heads(self) -> str:  # type: ignore[override]
        """``ce_norm_scope='batch'``: the cross-entropy of a masked label would drown all others."""
        return "ce_norm_scope='batch'" if self.ce_norm_scope == 'batch' else ''

    def forward(
        self,
        logits: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        targets: Tensor,
        temperature: float,
    ) -> dict[str, Tensor]:
        """Compute (5)-(9); see the base class."""
        # In float32 the cross-entropies of confident teachers are all 0, and (7) loses their order.
        scores = {
            name: self._score(z.double(), masks[name], targets, temperature)
            for name, z in logits.items()
        }
        if self.order == 'zero_then_normalise':
            weights = normalise(zero_outside(scores, masks), masks)
        else:
            weights = normalise(scores, masks)
            if self.order == 'normalise_then_zero':
                weights = zero_outside(weights, masks)
            if self.renormalise:
                weights = normalise(weights, masks)
        return {name: w.to(logits[name].dtype) for name, w in weights.items()}

    def _score(self, logits: Tensor, mask: Tensor, targets: Tensor, temperature: float) -> Tensor:
        """Compute (5)-(8) for one teacher: (N,), in [0, 1]."""
        conf_temperature = temperature if self.conf_temperature == 'kd' else 1.0
        conf = confidence(log_soft_targets(logits, conf_temperature))
        scope = mask if self.ce_norm_scope == 'subset' else torch.ones_like(mask)
        ce_norm = min_max(cross_entropy(logits, targets), scope, self.ce_norm_degenerate)
        own = hybrid_score(conf, ce_norm, self.s_alpha)
        if self.outside_score == 'teacher':
            return own
        return torch.where(mask, own, 1 - self.s_alpha if self.outside_score == 'buffer' else 0.0)
