"""One allow-list of what a pickle may call: tensors, NumPy arrays, plain data, log history.

A checkpoint of MMEngine's Runner holds its log history: a ``HistoryBuffer``, NumPy arrays, and the
buffer's methods, which are pickled as ``getattr(HistoryBuffer, 'mean')``. To admit the real
``getattr`` would be to admit everything. Here whatever can itself load, decode or look up anything
is replaced by a function that does only what such files need.

torch's own unpickler (``weights_only``, from 2.6 on) takes the list from :func:`allowed_globals`.
For earlier torch this module stands in for ``pickle`` in ``torch.load``.
"""

from __future__ import annotations

import inspect
import io
import os
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

# What a refused, a cut or a made-up pickle raises.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
)
_PLAIN_DTYPES = 'biufcSU'  # numbers and strings; objects and structures can hold anything


class Unpickler(pickle.Unpickler):
    """Python's unpickler with an allow-list: it looks names up there and imports nothing.

    Args:
        file: open for reading bytes.
        names: what may be called, by its name in the file; None: what a checkpoint may.
        kwargs: of Python's.
    """

    def __init__(self, file: Any, names: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(file, **kwargs)
        self.names = _checkpoint_names() if names is None else names

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up.

        Raises:
            pickle.UnpicklingError: It is not on the list.
        """
        # Protocol 2, which torch writes, calls the module so.
        module = 'builtins' if module == '__builtin__' else module
        if f'{module}.{name}' not in self.names:
            raise _refused(f'{module}.{name}')
        return self.names[f'{module}.{name}']


def load(file: Any, **kwargs: Any) -> Any:
    """Unpickle an open file of a checkpoint, as ``pickle.load`` does in :func:`torch.load`.

    Raises:
        pickle.UnpicklingError: The file asks for a class or function that is not on the list.
    """
    return Unpickler(file, **kwargs).load()


def load_plain_pickle(path: str | os.PathLike) -> Any:
    """Unpickle tensors, NumPy arrays, plain containers, numbers and strings; nothing else.

    Args:
        path: of a .pkl file, such as MMEngine's ``DumpResults`` writes.

    Returns:
        What was pickled; tensors are on the CPU.

    Raises:
        FileNotFoundError: no such file.
        pickle.UnpicklingError: The file asks for another class or function, or is no pickle.
    """
    import torch

    names = _plain_names() | {
        'torch._utils._rebuild_tensor_v2': torch._utils._rebuild_tensor_v2,
        'torch.storage._load_from_bytes': _load_storage,
    }
    with open(path, 'rb') as file:
        try:
            return Unpickler(file, names).load()
        except _BROKEN as error:
            raise pickle.UnpicklingError(
                'load_plain_pickle: a file must be a complete pickle of only tensors, NumPy arrays '
                f'and plain data, got {refused_by(error)} in {path}, which was not run; write it '
                'with tools/test.py --dump.'
            ) from error


def allowed_globals() -> list[Callable | tuple[Callable, str]]:
    """What a checkpoint may call beyond tensors, with its name in the file, for torch's unpickler.

    It also checks the class of a dtype, e.g. Float64DType.
    """
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    kinds = {type(np.dtype(c)) for c in np.typecodes['All'] if np.dtype(c).kind in _PLAIN_DTYPES}
    plain = (bool, int, float, str, list, tuple, dict)  # as the factory of a defaultdict
    return [
        (_method_of_history_buffer, 'builtins.getattr'),
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (ConfigDict, 'mmengine.config.config.ConfigDict'),
        (_plain_dict, 'collections.defaultdict'),
        *((found, name) for name, found in _numpy_names().items()),
        *((kind, f'{kind.__module__}.{kind.__qualname__}') for kind in kinds),
        *((kind, f'builtins.{kind.__name__}') for kind in plain),
    ]


def refused_by(error: Exception) -> str:
    """What an unpickler refused, or why it failed, from its error."""
    # Of torch's long message only what was refused: the rest advises weights_only=False.
    if found := re.search(r'GLOBAL (.+?) (?:was not|whose)', str(error)):
        return found.group(1)
    reason = str(error).rpartition('WeightsUnpickler error: ')[2].strip().partition('\n')[0]
    return f'"{reason or type(error).__name__}"'


def _refused(what: str) -> pickle.UnpicklingError:
    return pickle.UnpicklingError(f'GLOBAL {what} was not allowed')  # torch's words


def _numpy_names() -> dict[str, Any]:
    """What an array and a scalar of NumPy are rebuilt from."""
    import numpy as np

    found: dict[str, Any] = {'numpy.ndarray': np.ndarray, 'numpy.dtype': np.dtype}
    for package in ('numpy.core', 'numpy._core'):  # as NumPy 1 and NumPy 2 write it
        found[f'{package}.multiarray._reconstruct'] = np.empty(0).__reduce__()[0]
        found[f'{package}.multiarray.scalar'] = np.float64(0).__reduce__()[0]
    return found


def _plain_names() -> dict[str, Any]:
    """Arrays, and what a pickle of protocol 2 needs for plain data."""
    return _numpy_names() | {
        'numpy.dtype': _plain_dtype,
        '_codecs.encode': _encode_latin1,
        'collections.OrderedDict': OrderedDict,
    }


def _checkpoint_names() -> dict[str, Any]:
    """Torch's own list, the user's, and what a Runner saves."""
    import torch
    from torch import _weights_only_unpickler

    names = dict(_weights_only_unpickler._get_allowed_globals())
    admitted: list = getattr(torch.serialization, 'get_safe_globals', list)()  # from 2.4 on
    for allowed in (*allowed_globals(), *admitted):
        if not isinstance(allowed, tuple):
            allowed = (allowed, f'{allowed.__module__}.{allowed.__qualname__}')
        names[allowed[1]] = allowed[0]
    # What torch's own unpickler, which is none of Python's, has built in.
    return names | {'builtins.set': set, 'collections.Counter': Counter} | _plain_names()


def _method_of_history_buffer(owner: Any, name: str) -> Callable:
    """Answer ``getattr`` of a checkpoint with a public method of ``HistoryBuffer`` only."""
    from mmengine.logging import HistoryBuffer

    method = vars(HistoryBuffer).get(name)
    if owner is not HistoryBuffer or name.startswith('_') or not inspect.isfunction(method):
        raise _refused(f'getattr({owner!r}, {name!r})')
    return method


def _plain_dict(*factory: Any) -> dict:
    """A ``defaultdict`` comes back as a dict: its factory would be a function the file chooses."""
    return {}


def _plain_dtype(code: str, *copy: bool) -> Any:
    import numpy as np

    dtype = np.dtype(code, *copy)
    if dtype.kind not in _PLAIN_DTYPES:
        raise _refused(type(dtype).__name__)
    return dtype


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Bytes in a pickle of protocol 2."""
    if encoding != 'latin1':
        raise _refused(f'_codecs.encode to {encoding!r}')
    return text.encode('latin1')


def _load_storage(content: bytes) -> Any:
    """The memory of a tensor; torch's own function would unpickle whatever is in there."""
    import torch

    try:
        return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    except pickle.UnpicklingError:  # torch's long message advises weights_only=False
        raise _refused('a pickle in the memory of a tensor') from None
