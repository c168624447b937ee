"""Pickle files that hold only data: a stranger's runs no code."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mmaction_kd.host_fixes.checkpoint_names import numpy_globals

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


def load_plain_pickle(path: str | os.PathLike) -> Any:
    """Unpickle tensors, NumPy arrays, plain containers, numbers and strings; nothing else.

    Args:
        path: of a .pkl file, such as MMEngine's ``DumpResults`` writes.

    Returns:
        What was pickled; tensors are on the CPU.

    Raises:
        FileNotFoundError: no such file.
        pickle.UnpicklingError: the file asks for another class or function, or is no pickle.
    """
    with open(path, 'rb') as file:
        try:
            return _PlainUnpickler(file).load()
        except _BROKEN as error:
            raise pickle.UnpicklingError(
                'load_plain_pickle: a file must be a whole pickle of only tensors, NumPy arrays '
                f'and plain data, got {error or type(error).__name__} from {path}; write it with '
                'tools/test.py --dump.'
            ) from error


class _PlainUnpickler(pickle.Unpickler):
    """Answers a name of the file from :func:`_allowed`, never by an import."""

    def __init__(self, file: io.BufferedReader) -> None:
        super().__init__(file)
        self.allowed = _allowed()

    def find_class(self, module: str, name: str) -> Callable:
        """Look a name up.

        Raises:
            pickle.UnpicklingError: it is not on the list.
        """
        found = self.allowed.get(f'{module}.{name}')
        if found is None:
            raise pickle.UnpicklingError(f'{module}.{name}, which was not run,')
        return found


def _allowed() -> dict[str, Callable]:
    """By the name in the file. What can itself load or decode anything has a stand-in."""
    return {
        'torch._utils._rebuild_tensor_v2': torch._utils._rebuild_tensor_v2,
        'torch.storage._load_from_bytes': _load_storage,
        '_codecs.encode': _encode_latin1,
        'collections.OrderedDict': OrderedDict,
        **{name: rebuild for rebuild, name in numpy_globals()},
        'numpy.dtype': _plain_dtype,
    }


def _load_storage(content: bytes) -> Any:
    """The memory of a tensor; torch's own function would unpickle whatever is in there."""
    try:
        return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    except pickle.UnpicklingError:  # torch's long message advises weights_only=False
        raise pickle.UnpicklingError('a tensor whose memory is code, which was not run,') from None


def _plain_dtype(code: str, *copy: bool) -> np.dtype:
    """Numbers and strings; arrays of objects and of structures can hold anything."""
    dtype = np.dtype(code, *copy)
    if dtype.kind not in 'biufcSU':
        raise pickle.UnpicklingError(f'a NumPy array of {dtype}')
    return dtype


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Bytes in a pickle of protocol 2."""
    if encoding != 'latin1':
        raise pickle.UnpicklingError(f'_codecs.encode to {encoding!r}')
    return text.encode('latin1')
