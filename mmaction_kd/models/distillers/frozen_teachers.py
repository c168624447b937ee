"""Teachers that a distiller uses but does not own."""

from __future__ import annotations

import hashlib

import torch
from mmengine.model import BaseModel
from torch import nn


class FrozenTeachers(dict[str, BaseModel]):
    """Recognizers by name, always in eval mode and without gradients.

    As a plain attribute of a module, a dict is not part of the module tree. So none of its weights
    is a parameter of the distiller, in the optimizer, in DDP's buckets or in the checkpoint, and
    ``distiller.train()`` does not reach it: dropout stays off and no buffer moves. A deep copy of
    the distiller, such as EMA makes, shares it.
    """

    def add(self, name: str, teacher: BaseModel) -> None:
        """Add a recognizer, frozen."""
        teacher.eval()
        self[name] = teacher.requires_grad_(False)

    def __deepcopy__(self, memo: dict) -> FrozenTeachers:
        return self


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of names, types, shapes and bytes of all weights and buffers, in hex."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        value = value.detach().cpu().contiguous()
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        digest.update(value.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
