"""Check the inputs of a loss or a fusion: scores over K classes, one class a sample."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.compiler.disable
def check_batch(
    owner: str, scores: Mapping[str, Tensor], targets: Tensor, num_classes: int
) -> None:
    """Refuse inputs that would be broadcast or counted wrongly without an error.

    Where N = K, (N, K) soft labels broadcast like (N,) classes. A target out of range has no
    teacher and no column.

    Values of targets on a GPU are not checked, to avoid a synchronisation. MBDRecognizer and
    DualTeacherDistiller have checked them.

    Args:
        owner: the component that the user configures.
        scores: by name, (N, K) each.
        targets: class index of every sample, (N,).
        num_classes: K.

    Raises:
        ValueError: a shape differs, or a target is no class.
    """
    if targets.dim() != 1 or targets.is_floating_point():
        raise ValueError(
            f'{owner}: targets must be one class index a sample, (N,), got {targets.dtype} of '
            f'shape {tuple(targets.shape)}; a soft label (Mixup, CutMix) has no one class.'
        )
    wanted = (len(targets), num_classes)
    for name, values in scores.items():
        if values.shape != wanted:
            raise ValueError(
                f'{owner}: the scores of {name} must be of shape {wanted}, a row a sample and a '
                f'column a class, got {tuple(values.shape)}; set the same num_classes in each head.'
            )
    if targets.device.type != 'cpu':
        return
    wrong = (targets < 0) | (targets >= num_classes)
    if wrong.any():
        place = int(wrong.nonzero()[0])
        raise ValueError(
            f'{owner}: targets must be classes of 0..{num_classes - 1}, got {targets[place]} for '
            f'sample {place}; num_classes must be that of the data set.'
        )
