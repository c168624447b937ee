"""Which frames of a batch are the same, bit by bit: a network need see each of them once only."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

AT_ONCE = 16
"""Frames that are looked at together; what is computed of them is as large as they are."""


@torch.compiler.disable
def distinct_frames(frames: Tensor) -> tuple[Tensor, Tensor]:
    r"""Find the frames that are bit-equal to an earlier one.

    A frame's number, with its memory as 64-bit integers :math:`b_j` and random odd :math:`w_j`,
    always the same,

    .. math:: h = \sum_j w_j \big( b_j \oplus (b_j \gg 32) \big) \mod 2^{64}

    is that of an equal frame (the shift is for round values in the upper half of a word, whose
    lower bits are zero and would stay so). A frame whose number stood before is compared with the
    first one that had it, bit by bit, and is its own where they differ: no chance equality of two
    numbers can pass off one frame as another.

    On a GPU the processor waits once, for how many there are.

    Args:
        frames: (B, C, H, W), of any type.

    Returns:
        ``first``, the index of each distinct frame's first appearance, ascending, (M,), and
        ``place``, (B,): frame i is bit-equal to frame ``first[place[i]]``.

    Example:
        >>> still, moved = torch.zeros(3, 8, 8), torch.ones(3, 8, 8)
        >>> distinct_frames(torch.stack([still, moved, still]))
        (tensor([0, 1]), tensor([0, 1, 0]))
    """
    bits = _as_words(frames.detach().flatten(1))
    earliest = _first_of_its_number(frame_numbers(bits))
    same = torch.cat(
        [
            (rows == bits[first]).all(1)
            for rows, first in zip(bits.split(AT_ONCE), earliest.split(AT_ONCE), strict=True)
        ]
    )
    index = torch.arange(len(bits), device=bits.device)
    earliest = torch.where(same, earliest, index)
    is_first = earliest == index
    place = is_first.cumsum(0) - 1
    return is_first.nonzero()[:, 0], place[earliest]


def frame_numbers(bits: Tensor) -> Tensor:
    """The number h of each frame, see :func:`distinct_frames`.

    Args:
        bits: of each frame, (B, L), int64.

    Returns:
        (B,), int64.
    """
    generator = torch.Generator().manual_seed(0)
    lowest, highest = torch.iinfo(torch.int64).min, torch.iinfo(torch.int64).max
    weights = torch.randint(lowest, highest, (bits.shape[1],), generator=generator) | 1
    weights = weights.to(bits.device)
    return torch.cat([((rows ^ rows >> 32) * weights).sum(1) for rows in bits.split(AT_ONCE)])


def _as_words(values: Tensor) -> Tensor:
    """The memory of each row as int64, filled up with zero bytes: (B, L) -> (B, words)."""
    memory = values.contiguous().view(torch.uint8)
    if memory.shape[1] % 8 or memory.storage_offset() % 8:
        memory = F.pad(memory, (0, -memory.shape[1] % 8))
    return memory.view(torch.int64)


def _first_of_its_number(numbers: Tensor) -> Tensor:
    """For each of (B,) numbers the smallest index of an equal one, without waiting for a GPU."""
    ordered, order = numbers.sort(stable=True)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    rank = torch.arange(len(ordered), device=ordered.device)
    begins = torch.where(starts, rank, 0).cummax(0).values  # where the run of equals begins
    return torch.empty_like(order).scatter_(0, order, order[begins])
