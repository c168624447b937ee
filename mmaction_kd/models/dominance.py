"""Dominance: the confidence of a pathway on a video, which decides who teaches (MBD, eqs. 1-4).

Source: Kang et al., "Using Multi-Layer Bidirectional Distillation to Enhance Local and Global
Features for Action Recognition", Sensors 2025, 25(22), 6849, equations (1)-(4). The formulas
are a reconstruction; each reading that the text leaves open is a key of :class:`Dominance`. One
that has no key is another subclass of :class:`DominanceReading`.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmaction_kd.options import Count, Positive, Range, checked_options
from mmaction_kd.registry import MODELS

PATHWAYS = ('local', 'global')


def label_distances(
    feats: Tensor, labels: Tensor | None = None, metric: str = 'euclidean'
) -> Tensor:
    """Compute the distance of every sample to every class label, ``d(f_i, y_k)`` of (1).

    ``d² = ‖f_i‖² + ‖y_k‖² − 2 f_i·y_k``, in float64: in float32 the difference cancels when
    ``f_i`` is nearly ``y_k``.

    Args:
        feats: ``f``, (N, D).
        labels: ``y``, (K, D); None: the K = D one-hot vectors.
        metric: 'euclidean' (d) or 'sqeuclidean' (d²).

    Returns:
        (N, K), float64, without gradient.
    """
    f = feats.detach().double()
    if labels is None:
        squared = f.square().sum(1, keepdim=True) + 1 - 2 * f
    else:
        y = labels.detach().double()
        squared = f.square().sum(1, keepdim=True) + y.square().sum(1) - 2 * f @ y.T
    squared = squared.clamp_min(0)
    return squared if metric == 'sqeuclidean' else squared.sqrt()


def class_distribution(distances: Tensor, tau: float = 1.0) -> Tensor:
    """Compute (1): ``P_i(k) = exp(−d(f_i, y_k)/τ) / Σ_k' exp(−d(f_i, y_k')/τ)``.

    Args:
        distances: (N, K).
        tau: divides the distance; above 0.

    Returns:
        (N, K), each row sums to 1.
    """
    return (-distances / tau).softmax(1)


def batch_label_distribution(distances: Tensor, counts: Tensor, tau: float = 1.0) -> Tensor:
    """Compute (1) over the N labels of the mini-batch instead of the K classes.

    ``P_i(j) = exp(−d(f_i, y_j)/τ) / Σ_{j' ≤ N} exp(−d(f_i, y_j')/τ)``, the same for all labels j of
    a class.

    Args:
        distances: (N, K).
        counts: number of labels of the mini-batch of each class, (K,), float.
        tau: divides the distance; above 0.

    Returns:
        P of one label of each class, (N, K), 0 where there is none; each row sums to 1 over the
        labels.
    """
    log = -distances / tau
    total = (log + counts.log()).logsumexp(1, keepdim=True)
    return (log - total).exp().masked_fill(counts == 0, 0)


def dominance_groups(dominance: Mapping[str, Tensor], tie: str = 'global') -> dict[str, Tensor]:
    """Compute (3) and (4): ``G_l = {i : D_i^l > D_i^g}``, ``G_g`` = the others.

    Args:
        dominance: ``D`` of each pathway, 'local' and 'global', (N,) each.
        tie: the pathway that gets the samples with equal dominance.

    Returns:
        For each pathway the mask (N,) of the samples that it dominates and teaches.
    """
    if tie == 'global':
        local = dominance['local'] > dominance['global']
    else:
        local = dominance['local'] >= dominance['global']
    return {'local': local, 'global': ~local}


class DominanceReading(nn.Module, metaclass=ABCMeta):
    """Base of what measures dominance, for training groups (3), (4) and test weights (15).

    A subclass, registered in MODELS, takes ``num_classes`` and implements :meth:`forward`; a config
    names it by ``dominance=dict(type=...)``.
    """

    needs_targets = False
    """Whether the true labels are needed, which excludes use at test."""
    needs_one_class = ''
    """The setting that needs videos of one class in training; '' where none does."""
    space = 'prob'
    """The space of ``f``: 'prob', or 'logits', which excludes use at test."""

    def features(self, logits: Tensor) -> Tensor:
        """Compute ``f`` in training; at test it is the mean of the probabilities over the views.

        Args:
            logits: (N, K).

        Returns:
            (N, K), float64, without gradient.
        """
        return logits.detach().double().softmax(1)

    @abstractmethod
    def forward(
        self, feats: Mapping[str, Tensor], targets: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Measure the dominance of each pathway.

        Args:
            feats: ``f`` of each pathway, (N, K), float64; see :meth:`features`.
            targets: class index of every sample, (N,); in training only.

        Returns:
            For each pathway D, (N,), above 0, without gradient.
        """


def build_dominance(cfg: Mapping | None, num_classes: int) -> DominanceReading:
    """Build a reading from its config, whose default type is :class:`Dominance`."""
    return MODELS.build(
        {'type': 'mmaction_kd.Dominance', **(cfg or {}), 'num_classes': num_classes}
    )


@MODELS.register_module()
class Dominance(DominanceReading):
    """Dominance of each pathway, ``D_i^h = max_k P_i^h(k)`` (equations 1 and 2).

    It measures confidence, not correctness: the label of the sample is not used (but see
    ``reduce``). With one-hot labels and the Euclidean distance ``P_max / P_min ≤ e^√2 = 4.11`` for
    every f, so D is always close to 1/K and only ratios of D carry information.

    Source: MBD, equations (1)-(2). Differs from the paper: the text suggests logits in training and
    scores at test, the default is ``space='prob'`` for both. Probabilities do not depend on the
    offset of the logits, and training groups and test weights are the same function.

    Args:
        num_classes: K.
        normalizer: what (1) is normalised over: 'classes', or 'batch_labels' (the labels of the
            global mini-batch; training only).
        labels: the label vectors ``y_k``: 'onehot'; 'centers' (class means of the features, one set
            a pathway, kept as an exponential moving average, one-hot at first); or the path of a
            .npy file with a matrix (K, D), D = K as ``f`` lies in the space of the scores.
        metric: 'euclidean' or 'sqeuclidean'.
        space: the space of ``f``: 'prob' (softmax of the logits) or 'logits'.
        center_logits: subtract the mean logit, which makes D independent of an offset; only with
            ``space='logits'``.
        tau: divides the distance; above 0.
        reduce: 'max' (the paper) or 'target' (the probability of the true class; training only).
        momentum: weight of the old centre in the moving average, in [0, 1).

    Raises:
        ValueError: two settings exclude each other, or there is no such matrix.
    """

    @checked_options
    def __init__(
        self,
        num_classes: Count,
        normalizer: Literal['classes', 'batch_labels'] = 'classes',
        labels: str = 'onehot',
        metric: Literal['euclidean', 'sqeuclidean'] = 'euclidean',
        space: Literal['prob', 'logits'] = 'prob',
        center_logits: bool = False,
        tau: Positive = 1.0,
        reduce: Literal['max', 'target'] = 'max',
        momentum: Annotated[float, Range(0, below=1)] = 0.9,
    ) -> None:
        super().__init__()
        if center_logits and space != 'logits':
            raise ValueError(
                "Dominance: center_logits=True needs space='logits', got space='prob'; "
                'probabilities do not change with an offset of the logits.'
            )
        self.normalizer = normalizer
        self.labels = labels
        self.metric = metric
        self.space: str = space
        self.center_logits = center_logits
        self.tau = tau
        self.reduce = reduce
        self.momentum = momentum
        if labels != 'onehot':
            start = (
                torch.eye(num_classes) if labels == 'centers' else _load_labels(labels, num_classes)
            )
            for name in PATHWAYS:
                self.register_buffer(f'{name}_labels', start.clone())

    @property
    def needs_targets(self) -> bool:  # type: ignore[override]
        """Whether the true labels are needed, which excludes use at test."""
        return self.normalizer == 'batch_labels' or self.reduce == 'target'

    @property
    def needs_one_class(self) -> str:  # type: ignore[override]
        """The setting that needs videos of one class in training; '' where none does."""
        if self.needs_targets:
            return f"dominance with normalizer='{self.normalizer}', reduce='{self.reduce}'"
        return "dominance with labels='centers'" if self.labels == 'centers' else ''

    def features(self, logits: Tensor) -> Tensor:
        """Compute ``f``, the vector that is compared with the labels; see the base class."""
        z = logits.detach().double()
        if self.space == 'prob':
            return z.softmax(1)
        return z - z.mean(1, keepdim=True) if self.center_logits else z

    def forward(
        self, feats: Mapping[str, Tensor], targets: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Compute (1) and (2) for each pathway; see the base class.

        In training mode, with ``labels='centers'`` and targets, the centres are updated first.

        Raises:
            ValueError: the settings need the targets and there are none.
        """
        if self.needs_targets and targets is None:
            raise ValueError(
                f"Dominance: normalizer='{self.normalizer}' with reduce='{self.reduce}' needs the "
                "true labels, got none; at test use normalizer='classes' and reduce='max'."
            )
        if self.labels == 'centers' and self.training and targets is not None:
            for name, f in feats.items():
                self._move_centers(self.get_buffer(f'{name}_labels'), f, targets)
        return {name: self._dominance(name, f, targets) for name, f in feats.items()}

    def _dominance(self, name: str, feats: Tensor, targets: Tensor | None) -> Tensor:
        labels = None if self.labels == 'onehot' else self.get_buffer(f'{name}_labels')
        distances = label_distances(feats, labels, self.metric)
        if self.normalizer == 'classes':
            probs = class_distribution(distances, self.tau)
        else:
            assert targets is not None
            counts = nn.functional.one_hot(targets, distances.shape[1]).sum(0).to(distances)
            all_reduce(counts)
            probs = batch_label_distribution(distances, counts, self.tau)
        if self.reduce == 'max':
            return probs.amax(1)
        assert targets is not None
        return probs.gather(1, targets[:, None])[:, 0]

    def _move_centers(self, centers: Tensor, feats: Tensor, targets: Tensor) -> None:
        """Update the centre of each class in the global batch with its mean feature."""
        onehot = nn.functional.one_hot(targets, len(centers)).to(feats)  # (N, K)
        sums, counts = onehot.T @ feats, onehot.sum(0)  # (K, D), (K,)
        all_reduce(sums)
        all_reduce(counts)
        means = sums / counts.clamp_min(1)[:, None]
        moved = self.momentum * centers + (1 - self.momentum) * means
        centers.copy_(torch.where(counts[:, None] > 0, moved, centers))


def _load_labels(path: str, num_classes: int) -> Tensor:
    if not Path(path).is_file():
        raise ValueError(
            "Dominance: labels must be 'onehot', 'centers' or the path of a .npy file, "
            f'got {path!r}.'
        )
    try:
        matrix = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f'Dominance: labels must be a .npy file with numbers, got {path}: {error}; write it '
            'with numpy.save.'
        ) from error
    shape = (num_classes, num_classes)
    if matrix.shape != shape or matrix.dtype.kind not in 'fiu' or not np.isfinite(matrix).all():
        raise ValueError(
            f'Dominance: the label matrix must be {shape}, one row a class in the space of the '
            f'scores, of finite numbers, got {matrix.shape} of {matrix.dtype} from {path}.'
        )
    return torch.from_numpy(matrix).float()
