"""Find bit-equal frames of a batch, so that a network encodes each distinct frame only once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

AT_ONCE = 16
"""Frames compared at a time; the temporary tensors are as large as these frames."""


@torch.compiler.disable
def distinct_frames(frames: Tensor) -> tuple[Tensor, Tensor]:
    r"""Find the frames that are bit-equal to an earlier one.

    Equal frames have equal hashes. With the memory of a frame as 64-bit integers :math:`b_j`, and
    fixed random odd :math:`w_j`, the hash is

    .. math:: h = \sum_j w_j \big( b_j \oplus (b_j \gg 32) \big) \mod 2^{64}

    The shift mixes in the upper half of a word: round floats have zeros in the lower bits. A frame
    is then compared, bit by bit, with the first frame of the same hash, so a hash collision never
    merges different frames.

    On a GPU this synchronises once, for the number of distinct frames.

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
    earliest = _first_of_its_hash(frame_hashes(bits))
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


def frame_hashes(bits: Tensor) -> Tensor:
    """Compute the hash h of each frame of :func:`distinct_frames`, (B, L) -> (B,), int64."""
    generator = torch.Generator().manual_seed(0)
    lowest, highest = torch.iinfo(torch.int64).min, torch.iinfo(torch.int64).max
    weights = torch.randint(lowest, highest, (bits.shape[1],), generator=generator) | 1
    weights = weights.to(bits.device)
    return torch.cat([((rows ^ rows >> 32) * weights).sum(1) for rows in bits.split(AT_ONCE)])


def _as_words(values: Tensor) -> Tensor:
    """View the memory of each row as int64, padded with zero bytes: (B, L) -> (B, words)."""
    memory = values.contiguous().view(torch.uint8)
    if memory.shape[1] % 8 or memory.storage_offset() % 8:
        memory = F.pad(memory, (0, -memory.shape[1] % 8))
    return memory.view(torch.int64)


def _first_of_its_hash(hashes: Tensor) -> Tensor:
    """Return for each hash, (B,), the smallest index of an equal one, without a GPU sync."""
    ordered, order = hashes.sort(stable=True)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    rank = torch.arange(len(ordered), device=ordered.device)
    begins = torch.where(starts, rank, 0).cummax(0).values  # where the run of equals begins
    return torch.empty_like(order).scatter_(0, order, order[begins])
