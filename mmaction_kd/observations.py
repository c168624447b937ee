"""What a loss saw of each sample, for whoever looks: nobody, or a hook.

A loss returns means over the batch. What it did to each class needs its samples, which leave it
here: a loss is told nothing of hooks, and works without any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mmengine.logging import MessageHub
from torch import Tensor

KEY = 'mmaction_kd.observations'


class Observation(NamedTuple):
    """What was seen of a batch.

    Attributes:
        num_classes: K.
        targets: class index of every sample, (N,).
        values: one number for every sample, by name, (N,) each.
    """

    num_classes: int
    targets: Tensor
    values: dict[str, Tensor]


def observe(source: str, num_classes: int, targets: Tensor, values: Mapping[str, Tensor]) -> None:
    """Leave what is known of each sample in MMEngine's MessageHub, in place of the last batch's.

    Tensors are kept as they are, on their device, without graph: nothing waits for the device.

    Args:
        source: what the numbers are, such as 'dominance'.
        num_classes: K.
        targets: class index of every sample, (N,).
        values: by name, (N,) each.
    """
    seen = Observation(num_classes, targets.detach(), {k: v.detach() for k, v in values.items()})
    _store().setdefault(KEY, {})[source] = seen


def take_observations() -> dict[str, Observation]:
    """What was left since it was last taken, by source; afterwards there is none."""
    return _store().pop(KEY, {})


def _store() -> dict:
    # Not update_info(): it would put the key into every checkpoint, and a resumed run would warn.
    return MessageHub.get_current_instance().runtime_info
