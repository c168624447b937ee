"""The mean over a group of samples, such as those of one teacher, over all ranks."""

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


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
