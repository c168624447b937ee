"""In place of the module ``pickle`` in a ``torch.load`` of torch before 2.6.

Its ``Unpickler`` finds a name in the list of :mod:`~mmaction_kd.host_fixes.checkpoint_names` and in
torch's own of tensors, never by an import.
"""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import _weights_only_unpickler

from mmaction_kd.host_fixes.checkpoint_names import allowed_globals


class Unpickler(pickle.Unpickler):
    """Python's, without imports."""

    def __init__(self, file: Any, **kwargs: Any) -> None:
        super().__init__(file, **kwargs)
        self.names = _names()

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up.

        Raises:
            pickle.UnpicklingError: It is not on the list.
        """
        # Protocol 2, which torch writes, calls the module so.
        module = 'builtins' if module == '__builtin__' else module
        if f'{module}.{name}' not in self.names:
            raise pickle.UnpicklingError(f'GLOBAL {module}.{name} was not allowed')
        return self.names[f'{module}.{name}']


def load(file: Any, **kwargs: Any) -> Any:
    """Unpickle an open file.

    Raises:
        pickle.UnpicklingError: The file asks for a class or function that is not on the list.
    """
    return Unpickler(file, **kwargs).load()


def _names() -> dict[str, Any]:
    names = dict(_weights_only_unpickler._get_allowed_globals())
    admitted: list = getattr(torch.serialization, 'get_safe_globals', list)()  # from 2.4 on
    for allowed in (*allowed_globals(), *admitted):
        if not isinstance(allowed, tuple):
            allowed = (allowed, f'{allowed.__module__}.{allowed.__qualname__}')
        names[allowed[1]] = allowed[0]
    # What torch's own unpickler, which is none of Python's, has built in.
    return names | {
        'builtins.set': set,
        'collections.Counter': Counter,
        '_codecs.encode': _encode_latin1,
        'numpy.dtype': _plain_dtype,
    }


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Bytes in a pickle of protocol 2."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'GLOBAL _codecs.encode to {encoding!r} was not allowed')
    return text.encode('latin1')


def _plain_dtype(code: str, *copy: bool) -> np.dtype:
    """Numbers and strings; arrays of objects and of structures can hold anything."""
    dtype = np.dtype(code, *copy)
    if dtype.kind in 'OV':
        raise pickle.UnpicklingError(f'GLOBAL {type(dtype).__name__} was not allowed')
    return dtype
