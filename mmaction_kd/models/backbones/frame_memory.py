"""Cache of frame vectors, kept from one window of a stream to the next."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

CAPACITY = 2048
"""Vectors. A window of 16 frames has 48 in three crops; 2048 of width 768 are 6 MB."""


class FrameMemory:
    """LRU cache of the vectors of one network, by the content of the image.

    The key is a 256-bit digest of the normalised image. So a hit is the same crop with the same
    normalisation, and the model needs no frame numbers. The weights of the network must not change
    meanwhile.

    Args:
        capacity: vectors; the least recently used one is evicted first.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self._rows: OrderedDict[bytes, int] = OrderedDict()
        # One block: thousands of small tensors among the activations fragment the heap.
        self._table: Tensor | None = None  # (capacity, D)

    def vectors(self, images: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """Encode the images that are new, and look up the others.

        Args:
            images: (B, C, H, W).
            encode: the network, (M, C, H, W) -> (M, D).

        Returns:
            (B, D).
        """
        keys = [hashlib.blake2b(row, digest_size=32).digest() for row in _rows_of_bytes(images)]
        found = {key: self._table[self._rows[key]] for key in keys if key in self._rows}  # type: ignore[index]
        new = {key: place for place, key in enumerate(keys) if key not in found}
        if new:
            found.update(zip(new, encode(images[list(new.values())]), strict=True))
        answer = torch.stack([found[key] for key in keys])
        for key in found:  # those of the table first, so that none of them is evicted for the new
            if key in self._rows:
                self._rows.move_to_end(key)
            else:
                self._store(key, found[key])
        return answer

    def _store(self, key: bytes, vector: Tensor) -> None:
        if self._table is None or self._table.dtype != vector.dtype:
            self._rows.clear()
            self._table = vector.new_empty(self.capacity, *vector.shape)
        row = len(self._rows)
        if row == self.capacity:
            _, row = self._rows.popitem(last=False)
        self._table[row] = vector
        self._rows[key] = row


@contextmanager
def remember_frames(memories: Mapping[nn.Module, FrameMemory]) -> Iterator[None]:
    """Let networks use their memories within the context.

    Args:
        memories: of each VTN and TemporalConvNet.
    """
    for network, memory in memories.items():
        network.frame_memory = memory  # type: ignore[assignment]
    try:
        yield
    finally:
        for network in memories:
            network.frame_memory = None  # type: ignore[assignment]


def _rows_of_bytes(images: Tensor) -> np.ndarray:
    """Return the memory of each image, (B, bytes), uint8."""
    return images.detach().flatten(1).contiguous().view(torch.uint8).cpu().numpy()
