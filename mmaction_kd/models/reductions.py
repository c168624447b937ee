"""Sums and means of a loss: in float32 or wider, over the samples of a group, over all ranks."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Cast half precision to float32, as sums over classes overflow in half precision.

    Args:
        x: any floating tensor.

    Returns:
        float32 for float16 and bfloat16, else ``x``.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def group_size(group: Tensor, reduction: str = 'group') -> Tensor:
    """Count the samples of a group, ``|G|``, or N with ``reduction='batch'``; at least 1.

    The count is over all ranks, divided by their number. So the gradient that DDP averages is that
    of the global batch on one device, for any split of the group over the ranks. With 'batch' the
    mean is a rank's own, as of the cross-entropy: the average over ranks is the global mean if they
    have equally many samples, else a mean of means.

    Args:
        group: mask of the group, (N,), bool.
        reduction: 'group' or 'batch'.

    Returns:
        Scalar, float32.
    """
    if reduction == 'batch':
        return torch.tensor(float(len(group)), device=group.device)
    size = group.float().sum()
    all_reduce(size)
    return size.clamp_min(1) / get_world_size()


def group_mean(per_sample: Tensor, group: Tensor, size: Tensor) -> Tensor:
    """Compute ``(1/|G|) Σ_{i∈G} x_i``, as in MBD's (8)-(11); 0 with valid gradients if G is empty.

    A masked sum instead of a branch, so that every DDP rank has the same graph for any samples.

    Args:
        per_sample: ``x``, (N,).
        group: mask of G, (N,), bool.
        size: ``|G|``, see :func:`group_size`.

    Returns:
        Scalar.
    """
    return (per_sample * group).sum() / size
