"""Statistics that a loss records in a step, under the names that the report reads.

A loss returns means over the batch, which MMEngine logs. Statistics of each class need values of
single samples: the loss leaves them here, and a hook may take them. No hook is required.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mmengine.logging import MessageHub
from torch import Tensor

KEY = 'mmaction_kd.observations'

# Sources of observations, of values for each sample.
DOMINANCE = 'dominance'
"""MBD, by pathway: whether it is the more confident one, which teaches."""
TEACHER_WEIGHTS = 'teacher_weights'
"""DTKD, by teacher: its weight w of (9)."""
RESPONSIBLE = 'responsible'
"""DTKD, by teacher: whether it is responsible for the class."""

# Terms of a loss: summed where the name holds 'loss'. Those of a pathway or teacher t are `t/TERM`.
LOSS_FINAL = 'loss_final'
LOSS_INTERMEDIATE = 'loss_intermediate'
DOMINANCE_SHARE = 'dominance_share'
TEACHER_WRONG_SHARE = 'teacher_wrong_share'
LOSS_KD = 'loss_kd'
LOSS_TEACHER = 'loss_teacher'
SHARE = 'share'
WEIGHT = 'weight'
WRONG_SHARE = 'wrong_share'


class Observation(NamedTuple):
    """Values of the samples of a batch.

    Attributes:
        num_classes: K.
        targets: class index of every sample, (N,).
        values: one number for every sample, by name, (N,) each.
    """

    num_classes: int
    targets: Tensor
    values: dict[str, Tensor]


def observe(source: str, num_classes: int, targets: Tensor, values: Mapping[str, Tensor]) -> None:
    """Store values of each sample in MMEngine's MessageHub, replacing those of the last batch.

    Tensors are detached and stay on their device, without a synchronisation.

    Args:
        source: name of the values, such as :data:`DOMINANCE`.
        num_classes: K.
        targets: class index of every sample, (N,).
        values: by name, (N,) each.
    """
    observation = Observation(
        num_classes, targets.detach(), {k: v.detach() for k, v in values.items()}
    )
    _store().setdefault(KEY, {})[source] = observation


def take_observations() -> dict[str, Observation]:
    """Return and remove the observations since the last call, by source."""
    return _store().pop(KEY, {})


def _store() -> dict:
    # Not update_info(): it would put the key into every checkpoint, and a resumed run would warn.
    return MessageHub.get_current_instance().runtime_info
