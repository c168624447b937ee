"""What a checkpoint may call when it is unpickled, beyond tensors.

A checkpoint of MMEngine's Runner holds its log history: a ``HistoryBuffer``, NumPy arrays, and the
buffer's methods, which are pickled as ``getattr(HistoryBuffer, 'mean')``. To admit the real
``getattr`` would be to admit everything. Here the file's ``getattr`` is answered by a function that
knows the methods of ``HistoryBuffer`` and nothing else.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

# What the unpickler calls, and the name that the file gives it.
Allowed = Callable | tuple[Callable, str]


def _method_of_history_buffer(owner: Any, name: str) -> Callable:
    """Answers ``getattr`` of a checkpoint.

    Raises:
        pickle.UnpicklingError: Anything but a public method of ``HistoryBuffer`` is asked for.
    """
    from mmengine.logging import HistoryBuffer

    method = vars(HistoryBuffer).get(name)
    if owner is not HistoryBuffer or name.startswith('_') or not inspect.isfunction(method):
        raise pickle.UnpicklingError(f'GLOBAL getattr({owner!r}, {name!r}) was not allowed')
    return method


def _plain_dict(*factory: Any) -> dict:
    """A ``defaultdict`` comes back as a dict: its factory would be a function the file chooses."""
    return {}


def numpy_globals() -> list[tuple[Callable, str]]:
    """What an array and a scalar of NumPy are rebuilt from, and the names that a file gives it."""
    import numpy as np

    reconstruct: Any = np.empty(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    named: list[tuple[Callable, str]] = [(np.ndarray, 'numpy.ndarray'), (np.dtype, 'numpy.dtype')]
    for package in ('numpy.core', 'numpy._core'):  # as NumPy 1 and NumPy 2 write it
        named.append((reconstruct, f'{package}.multiarray._reconstruct'))
        named.append((scalar, f'{package}.multiarray.scalar'))
    return named


def allowed_globals() -> list[Allowed]:
    """What a checkpoint may call beyond tensors: plain data, and the log history."""
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    allowed: list[Allowed] = [
        (_method_of_history_buffer, 'builtins.getattr'),
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (ConfigDict, 'mmengine.config.config.ConfigDict'),
        (_plain_dict, 'collections.defaultdict'),
        *numpy_globals(),
    ]
    # The unpickler also checks the class of a dtype, e.g. Float64DType. No objects ('O') and no
    # structures ('V'): they can hold anything.
    for code in set(np.typecodes['All']) - set('OV'):
        kind = type(np.dtype(code))
        allowed.append((kind, f'{kind.__module__}.{kind.__qualname__}'))
    for plain in (bool, int, float, str, list, tuple, dict):  # as the factory of a defaultdict
        allowed.append((plain, f'builtins.{plain.__name__}'))
    return allowed
