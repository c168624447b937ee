"""The mean over a group of the samples, such as those of one teacher, on one device or many."""

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor


def group_size(group: Tensor, reduction: str = 'group') -> Tensor:
    """How many samples a group has, ``|G|``, or N with ``reduction='batch'``; at least 1.

    A group is counted over all ranks and divided by their number, so that the gradient that DDP
    averages is the one of the whole batch on a single device, whatever each rank has of it. A mean
    over the batch, as of the cross-entropy, is of each rank's own: it is that of the whole batch
    where the ranks have equally many samples, else a mean of means.

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
    """``(1/|G|) Σ_{i∈G} x_i``, as in MBD's (8)-(11); 0 with valid gradients where G is empty.

    A masked sum and not a branch: every rank of a DDP job has the same graph, whatever its samples.

    Args:
        per_sample: ``x``, (N,).
        group: mask of G, (N,), bool.
        size: ``|G|``, see :func:`group_size`.

    Returns:
        Scalar.
    """
    return (per_sample * group).sum() / size
