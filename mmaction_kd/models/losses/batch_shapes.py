"""What a loss or a fusion is given: scores over K classes and one class a sample."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


@torch.compiler.disable
def check_batch(
    owner: str, scores: Mapping[str, Tensor], targets: Tensor, num_classes: int
) -> None:
    """Refuse what would be broadcast or counted wrongly without a word.

    (N, K) soft labels beside (N,) classes broadcast where N = K, and a label that is no class has
    no teacher and no column.

    Values of labels on a GPU are not looked at, as that would wait for the device: MBDRecognizer
    and DualTeacherDistiller have looked at them.

    Args:
        owner: the component that the user configures.
        scores: by name, each must be (N, K).
        targets: class index of every sample, (N,).
        num_classes: K.

    Raises:
        ValueError: a shape is another, or a target is no class.
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
                f'column a class, got {tuple(values.shape)}; set num_classes of each head alike.'
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
