"""A distiller's checkpoint is its student's: the names of its weights are those of the student."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

STUDENT = 'student.'


def name_weights_as_the_students(distiller: nn.Module) -> None:
    """Leave the prefix ``student.`` out of the names in ``state_dict()``, and read them so.

    Works through the hooks of the state dict, which torch and MMEngine (that has its own functions
    for saving and loading) both call, and for a distiller inside of DDP or EMA.

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
    """``prefix`` ends in a dot, which a name of a module without parameters has not."""
    return prefix + name if name else prefix.rstrip('.')
