"""Name the weights of a distiller as in its student, so that the checkpoint is the student's."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

STUDENT = 'student.'


def name_weights_as_the_students(distiller: nn.Module) -> None:
    """Drop the prefix ``student.`` from the names in ``state_dict()``, and load such names.

    By state dict hooks, which both torch and MMEngine's own functions call, also for a distiller
    inside of DDP or EMA.

    Args:
        distiller: a module whose child ``student`` is the student.
    """
    distiller._register_state_dict_hook(_drop_prefix)
    distiller._register_load_state_dict_pre_hook(_add_prefix, with_module=True)


def _drop_prefix(
    _distiller: nn.Module, state: OrderedDict, prefix: str, _local_metadata: dict
) -> None:
    for names in (state, state._metadata):  # type: ignore[attr-defined]  # set by torch
        for name in list(names):
            if f'{name}.'.startswith(prefix + STUDENT):
                names[_join(prefix, name[len(prefix + STUDENT) :])] = names.pop(name)


def _add_prefix(distiller: nn.Module, state: dict, prefix: str, *_: object) -> None:
    others = tuple({f'{name}.' for name in distiller._modules} - {STUDENT})
    for name in list(state):
        own = name[len(prefix) :]
        if name.startswith(prefix) and not own.startswith(others):
            state[prefix + STUDENT + own] = state.pop(name)


def _join(prefix: str, name: str) -> str:
    # `prefix` ends in a dot, but the name of a module in the metadata does not.
    return prefix + name if name else prefix.rstrip('.')
