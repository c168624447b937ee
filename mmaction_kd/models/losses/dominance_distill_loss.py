"""Bidirectional multi-layer distillation between two pathways (MBD, equations 5-13).

Source: Kang et al., Sensors 2025, 25(22), 6849, equations (5)-(13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmaction_kd.models.checks import check_batch
from mmaction_kd.models.dominance import PATHWAYS, build_dominance, dominance_groups
from mmaction_kd.models.reductions import at_least_float32, group_mean, group_size
from mmaction_kd.observations import (
    DOMINANCE,
    DOMINANCE_SHARE,
    LOSS_FINAL,
    LOSS_INTERMEDIATE,
    TEACHER_WRONG_SHARE,
    observe,
)
from mmaction_kd.options import Count, Positive, Range, checked_options
from mmaction_kd.registry import MODELS


def kl_divergence(teacher_logits: Tensor, student_logits: Tensor, temperature: float) -> Tensor:
    """Compute (5) and (6): ``KL(q^t‖q^s)``, ``q = softmax(z/T)``, per sample.

    Args:
        teacher_logits: ``z^t``, (N, K).
        student_logits: ``z^s``, (N, K).
        temperature: T, above 0.

    Returns:
        (N,), in nats.
    """
    log_student = (at_least_float32(student_logits) / temperature).log_softmax(1)
    teacher = (at_least_float32(teacher_logits) / temperature).softmax(1)
    return F.kl_div(log_student, teacher, reduction='none').sum(1)


def feature_mse(teacher_feats: Tensor, student_feats: Tensor) -> Tensor:
    """Compute (7): ``‖f^t − f^s‖² / D``, per sample.

    Differs from the paper: the mean over dimensions, and over time steps if any. The sum grows with
    D (1536 for unrelated unit-variance features at D = 768) and would dominate the cross-entropy.

    Args:
        teacher_feats: ``f^t``, (N, D) or (N, T, D).
        student_feats: ``f^s``, of the same shape.

    Returns:
        (N,).
    """
    difference = at_least_float32(teacher_feats) - at_least_float32(student_feats)
    return difference.square().flatten(1).mean(1)


def align_steps(feats: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Resample two features with time steps to a common grid in time, that of the fewer steps.

    A step of the common grid is the mean of the steps that it covers, by their relative position in
    the clip: the first quarter of one clip against the first quarter of the other. The clips may
    differ in start and length, as in MBD (16 consecutive frames, and 16 frames 8 apart).

    Args:
        feats: (N, T, D), or (N, D), which is returned unchanged.
        others: (N, T', D'), or (N, D').

    Returns:
        (N, min(T, T'), D) and (N, min(T, T'), D').

    Raises:
        ValueError: only one has time steps.
    """
    if feats.dim() != others.dim():
        raise ValueError(
            'DominanceDistillLoss: feats must be (N, D) of both pathways or (N, T, D) of both, got '
            f'{tuple(feats.shape)} and {tuple(others.shape)}.'
        )
    if feats.dim() == 2:
        return feats, others
    steps = min(feats.shape[1], others.shape[1])
    aligned = [
        F.adaptive_avg_pool1d(x.transpose(1, 2), steps).transpose(1, 2) for x in (feats, others)
    ]
    return aligned[0], aligned[1]


@checked_options
def make_projector(
    in_dims: Count, out_dims: Count, hidden_dims: Annotated[int, Range(0)] = 0, norm: bool = False
) -> nn.Module:
    """Build ``φ`` of (10) and (11), from one pathway's feature space into the other's.

    Args:
        in_dims: D of the input.
        out_dims: D of the output.
        hidden_dims: width of a hidden GELU layer; 0 for one linear map.
        norm: end with a LayerNorm.

    Returns:
        A module (..., in_dims) -> (..., out_dims).

    """
    layers: list[nn.Module] = [nn.Linear(in_dims, out_dims)]
    if hidden_dims:
        layers = [nn.Linear(in_dims, hidden_dims), nn.GELU(), nn.Linear(hidden_dims, out_dims)]
    if norm:
        layers.append(nn.LayerNorm(out_dims))
    return nn.Sequential(*layers)


@MODELS.register_module()
class DominanceDistillLoss(nn.Module):
    """Distill from the more confident pathway of each sample to the other, at two layers.

    For each student s with teacher t, over the samples ``G_t`` that t dominates::

        L_final^s = (1/|G_t|) Σ_{i∈G_t} KL(sg q_i^t ‖ q_i^s)                 (8), (9)
        L_inter^s = (1/|G_t|) Σ_{i∈G_t} MSE(φ_{s→t}(m_i^s), sg m_i^t)        (10), (11)
        L_s       = L_ce^s + α_s T² L_final^s + β_s L_inter^s                (12), (13)

    The cross-entropy over all samples comes from each pathway's own head. ``sg`` stops the
    gradient: no term reaches its teacher. D and G have no gradient either.

    Labels are used only by the settings that :attr:`needs_one_class` names, and for the statistics,
    where the class of a soft label (Mixup, CutMix) is its largest. One class (K = 1), one sample
    and equal pathways are allowed: dominance is a tie, distances are 0, gradients are finite. Sums
    are in float32 or wider for scores of any precision, dominance in float64.

    Source: MBD, equations (5)-(13). Differs from the paper: T, which it does not have, is a key;
    the sum of (7) is a mean.

    Args:
        num_classes: K.
        feat_dims: dimension of each pathway's intermediate feature (set by MBDRecognizer); needed
            with ``layers`` 'intermediate' and 'both'.
        kl_weight: α, one number or (local, global).
        mse_weight: β, one number or (local, global).
        temperature: T of (5), above 0 (not in the paper).
        t_squared: multiply the KL term by T² (not in the paper).
        teacher: 'dominant' (3)-(4); 'local' | 'global': always the same one; or 'both', each of the
            other on all samples (deep mutual learning, Zhang et al., CVPR 2018), not the paper's.
        layers: the distilled layers: 'final', 'intermediate', 'both' or 'none', which only reports
            the dominance.
        final_align: the final layer's distance, 'kl' (6) or 'mse' (7 on the logits).
        group_reduction: divide a group's sum by the size of the 'group' or of the 'batch'.
        projection: side that (10) and (11) project, 'student' (FitNets) or 'teacher'.
        projector: settings of :func:`make_projector`.
        require_teacher_correct: skip samples that the teacher misclassifies (not in the paper).
        tie: the pathway that teaches the samples of equal dominance.
        dominance: settings of :class:`~mmaction_kd.models.dominance.Dominance`, or the config of
            another :class:`~mmaction_kd.models.dominance.DominanceReading`.

    Raises:
        ValueError: a weight is negative or infinite, or ``feat_dims`` lack a pathway.
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        feat_dims: Mapping[str, int] | None = None,
        kl_weight: float | Sequence[float] = 0.6,
        mse_weight: float | Sequence[float] = 0.4,
        temperature: Positive = 1.0,
        t_squared: bool = False,
        teacher: Literal['dominant', 'local', 'global', 'both'] = 'dominant',
        layers: Literal['final', 'intermediate', 'both', 'none'] = 'both',
        final_align: Literal['kl', 'mse'] = 'kl',
        group_reduction: Literal['group', 'batch'] = 'group',
        projection: Literal['student', 'teacher'] = 'student',
        projector: Mapping | None = None,
        require_teacher_correct: bool = False,
        tie: Literal['local', 'global'] = 'global',
        dominance: Mapping | None = None,
    ) -> None:
        super().__init__()
        me = type(self).__name__
        self.num_classes = num_classes
        self.kl_weight = _one_a_pathway('kl_weight', kl_weight)
        self.mse_weight = _one_a_pathway('mse_weight', mse_weight)
        self.temperature = temperature
        self.t_squared = t_squared
        self.teacher = teacher
        self.layers = layers
        self.final_align = final_align
        self.group_reduction = group_reduction
        self.projection = projection
        self.require_teacher_correct = require_teacher_correct
        self.tie = tie
        self.dominance = build_dominance(dominance, num_classes)
        self.projectors = nn.ModuleDict()
        if self.needs_feats:
            if feat_dims is None or set(feat_dims) != set(PATHWAYS) or min(feat_dims.values()) < 1:
                raise ValueError(
                    f"{me}: layers='{layers}' needs feat_dims, the dimension of each pathway's "
                    f'intermediate feature, got {feat_dims}; in an MBDRecognizer set features for '
                    "both pathways, or layers='final' or 'none'."
                )
            for source, target in (PATHWAYS, PATHWAYS[::-1]):
                self.projectors[f'{source}_to_{target}'] = make_projector(
                    feat_dims[source], feat_dims[target], **(projector or {})
                )

    @property
    def needs_feats(self) -> bool:
        """Whether the intermediate features are used."""
        return self.layers in ('intermediate', 'both')

    @property
    def needs_one_class(self) -> str:
        """The setting that needs videos of one class; '' where none does."""
        if self.require_teacher_correct:
            return 'require_teacher_correct=True'
        return self.dominance.needs_one_class if self.teacher == 'dominant' else ''

    def forward(
        self,
        logits: Mapping[str, Tensor],
        feats: Mapping[str, Tensor] | None,
        targets: Tensor,
    ) -> dict[str, Tensor]:
        """Compute the weighted distillation terms of (12) and (13), and their statistics.

        Args:
            logits: ``z`` of each pathway, (N, K).
            feats: ``m`` of each pathway, (N, D of that pathway), or with time steps (N, T, D) of
                both, see :func:`align_steps`; used where :attr:`needs_feats`.
            targets: class index of every sample, (N,).

        Returns:
            Scalars for each pathway h: ``h/loss_final``, ``h/loss_intermediate`` (h is the
            student), and as statistics ``h/dominance_share`` (share of the batch that h dominates)
            and ``h/teacher_wrong_share`` (share of the samples taught to h that the teacher
            misclassifies), in [0, 1].

        Raises:
            ValueError: the scores are not (N, K), a target is no class index, or the features of
                only one pathway have time steps.
        """
        check_batch(type(self).__name__, logits, targets, self.num_classes)
        groups = self.groups(logits, targets)
        observe(DOMINANCE, self.num_classes, targets, groups)
        terms = {}
        for student, teacher in (PATHWAYS, PATHWAYS[::-1]):
            taught = groups[teacher]
            wrong = logits[teacher].argmax(1) != targets
            if self.require_teacher_correct:
                taught = taught & ~wrong
            size = group_size(taught, self.group_reduction)
            if self.layers in ('final', 'both'):
                loss = group_mean(self._final(student, teacher, logits), taught, size)
                terms[f'{student}/{LOSS_FINAL}'] = self.kl_weight[student] * loss
            if self.needs_feats:
                assert feats is not None
                loss = group_mean(self._intermediate(student, teacher, feats), taught, size)
                terms[f'{student}/{LOSS_INTERMEDIATE}'] = self.mse_weight[student] * loss
            terms[f'{student}/{DOMINANCE_SHARE}'] = groups[student].float().mean()
            wrong_share = (wrong & taught).sum() / taught.sum().clamp_min(1)
            terms[f'{student}/{TEACHER_WRONG_SHARE}'] = wrong_share
        return terms

    @torch.no_grad()
    def groups(self, logits: Mapping[str, Tensor], targets: Tensor) -> dict[str, Tensor]:
        """Find the samples that each pathway teaches the other.

        Args:
            logits: ``z`` of each pathway, (N, K).
            targets: class index of every sample, (N,).

        Returns:
            For each pathway a mask (N,), bool; each sample is in exactly one, or with
            ``teacher='both'`` in both.
        """
        if self.teacher != 'dominant':
            everyone = torch.ones_like(targets, dtype=torch.bool)
            return {
                name: everyone if self.teacher in (name, 'both') else ~everyone for name in PATHWAYS
            }
        feats = {name: self.dominance.features(logits[name]) for name in PATHWAYS}
        return dominance_groups(self.dominance(feats, targets), self.tie)

    def _final(self, student: str, teacher: str, logits: Mapping[str, Tensor]) -> Tensor:
        z_student, z_teacher = logits[student], logits[teacher].detach()
        if self.final_align == 'mse':
            return feature_mse(z_teacher, z_student)
        scale = self.temperature**2 if self.t_squared else 1.0
        return scale * kl_divergence(z_teacher, z_student, self.temperature)

    def _intermediate(self, student: str, teacher: str, feats: Mapping[str, Tensor]) -> Tensor:
        m_student = at_least_float32(feats[student])
        m_teacher = at_least_float32(feats[teacher].detach())
        m_student, m_teacher = align_steps(m_student, m_teacher)
        with torch.autocast(m_student.device.type, enabled=False):
            if self.projection == 'student':
                m_student = self.projectors[f'{student}_to_{teacher}'](m_student)
            else:
                m_teacher = self.projectors[f'{teacher}_to_{student}'](m_teacher)
            return feature_mse(m_teacher, m_student)


def _one_a_pathway(key: str, value: float | Sequence[float]) -> dict[str, float]:
    values = [value, value] if isinstance(value, (int, float)) else list(value)
    if len(values) != len(PATHWAYS) or not all(0 <= weight < math.inf for weight in values):
        raise ValueError(
            f'DominanceDistillLoss: {key} must be one number or (local, global), each finite and '
            f'at least 0, got {value}.'
        )
    return dict(zip(PATHWAYS, values, strict=True))
