"""DTKD's distillation loss: teachers are weighted by their hybrid scores (eqs. 5-9).

Source: Park and Cho, Electronics 2025, 14(20), 4130.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mmaction_kd.datasets.class_subsets import Subsets
from mmaction_kd.models.losses.hybrid_score import (
    confidence,
    cross_entropy,
    hybrid_score,
    log_soft_targets,
    min_max,
    normalise,
    zero_outside,
)
from mmaction_kd.models.losses.subset_distill_loss import SubsetDistillLoss
from mmaction_kd.options import check_choice, check_range, checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class HybridScoreLoss(SubsetDistillLoss):
    """Weight the teachers of a sample by their confidence and their cross-entropy.

    For each teacher t, over the samples of its subset::

        conf_t = max_k q_t(k)                                       (5)
        CE_t   = −log softmax(z_t)(y),  CE_norm_t = min-max(CE_t)   (6), (7)
        s_t    = S_α conf_t + (1 − S_α)(1 − CE_norm_t)              (8)
        w_t    = s_t / Σ_t' s_t',  0 outside the subset of t        (9)

    Equations (10)-(13) are those of the base class, SubsetDistillLoss.

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
        num_classes: K.
        subsets: see SubsetDistillLoss, as for all arguments not listed here.
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

    Raises:
        TypeError: a setting has the wrong type.
        ValueError: a setting is not among its choices or out of range, or two exclude each other.
    """

    @checked_options
    def __init__(
        self,
        num_classes: int,
        subsets: Subsets,
        s_alpha: float = 0.3,
        order: str = 'normalise_then_zero',
        outside_score: str = 'teacher',
        renormalise: bool = False,
        ce_norm_scope: str = 'subset',
        ce_norm_degenerate: float = 0.0,
        conf_temperature: str | float = 'kd',
        kd_weight: float = 0.4,
        kd_temperature: float = 2.0,
        t_squared: bool = True,
        teacher_head: str = 'subset',
        mask_value: float | None = -math.inf,
        kl_direction: str = 'teacher_student',
        reduction: str = 'batchmean',
        log_w_term: bool = False,
    ) -> None:
        super().__init__(
            num_classes,
            subsets,
            kd_weight=kd_weight,
            kd_temperature=kd_temperature,
            t_squared=t_squared,
            teacher_head=teacher_head,
            mask_value=mask_value,
            kl_direction=kl_direction,
            reduction=reduction,
            log_w_term=log_w_term,
        )
        me = type(self).__name__
        orders = ('normalise_then_zero', 'zero_then_normalise', 'mixture')
        check_choice(me, 'order', order, orders)
        check_choice(me, 'outside_score', outside_score, ('teacher', 'buffer', 'zero'))
        check_choice(me, 'ce_norm_scope', ce_norm_scope, ('subset', 'batch'))
        check_choice(me, 'conf_temperature', conf_temperature, ('kd', 1))
        check_range(me, 's_alpha', s_alpha, 0, 1)
        check_range(me, 'ce_norm_degenerate', ce_norm_degenerate, 0, 1)
        if ce_norm_scope == 'batch' and mask_value is not None:
            raise ValueError(
                f"{me}: ce_norm_scope='batch' needs mask_value=None with teacher_head='full', got "
                f'mask_value={mask_value}; the cross-entropy of a masked label drowns all others.'
            )
        self.s_alpha = s_alpha
        self.order = order
        self.outside_score = outside_score
        self.renormalise = renormalise
        self.ce_norm_scope = ce_norm_scope
        self.ce_norm_degenerate = ce_norm_degenerate
        self.conf_temperature = kd_temperature if conf_temperature == 'kd' else 1.0

    @property
    def routed(self) -> bool:
        """Whether the weights depend on the responsible teacher only."""
        if self.order == 'mixture':
            return False
        weight_is_one = self.order == 'zero_then_normalise' or self.renormalise
        only_its_own_score = self.outside_score != 'teacher' and self.ce_norm_scope == 'subset'
        return weight_is_one or only_its_own_score

    def weights(
        self, logits: Mapping[str, Tensor], masks: Mapping[str, Tensor], targets: Tensor
    ) -> dict[str, Tensor]:
        # In float32 the cross-entropies of confident teachers are all 0, and (7) loses their order.
        scores = {name: self.scores(z.double(), masks[name], targets) for name, z in logits.items()}
        if self.order == 'zero_then_normalise':
            weights = normalise(zero_outside(scores, masks), masks)
        else:
            weights = normalise(scores, masks)
            if self.order == 'normalise_then_zero':
                weights = zero_outside(weights, masks)
            if self.renormalise:
                weights = normalise(weights, masks)
        return {name: w.to(logits[name].dtype) for name, w in weights.items()}

    def scores(self, logits: Tensor, mask: Tensor, targets: Tensor) -> Tensor:
        """Compute (5)-(8) for one teacher.

        Args:
            logits: ``z_t`` over all classes, (N, K).
            mask: ``m_t``, (N,), bool.
            targets: class index of every sample, (N,).

        Returns:
            ``s_t``, (N,), in [0, 1].
        """
        conf = confidence(log_soft_targets(logits, self.conf_temperature))
        scope = mask if self.ce_norm_scope == 'subset' else torch.ones_like(mask)
        ce_norm = min_max(cross_entropy(logits, targets), scope, self.ce_norm_degenerate)
        own = hybrid_score(conf, ce_norm, self.s_alpha)
        if self.outside_score == 'teacher':
            return own
        return torch.where(mask, own, 1 - self.s_alpha if self.outside_score == 'buffer' else 0.0)
