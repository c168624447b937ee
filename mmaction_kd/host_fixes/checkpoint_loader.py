"""Checkpoints under torch >= 2.6: MMEngine's own load, and a stranger's runs no code.

From 2.6 on ``torch.load`` unpickles from an allow-list of its own. A checkpoint of MMEngine's
Runner also holds its log history: a ``HistoryBuffer``, NumPy arrays, and the buffer's methods,
which are pickled as ``getattr(HistoryBuffer, 'mean')``. To admit the real ``getattr`` would be to
admit everything, and so would ``weights_only=False``. Here the file's ``getattr`` is answered by a
function that knows the methods of ``HistoryBuffer`` and nothing else; torch's restricted unpickler
does the rest. A checkpoint from an address, which ``torch.hub`` unpickles without a list, takes
the same way.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

from mmaction_kd.host_fixes.mend import Mend, release, source_of, version_of

# What the unpickler calls, and the name that the file gives it.
_Allowed = Callable | tuple[Callable, str]


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


def _allowed_globals() -> list[_Allowed]:
    """What a checkpoint may call beyond tensors: plain data, and the log history."""
    import numpy as np
    from mmengine.config import ConfigDict
    from mmengine.logging import HistoryBuffer

    allowed: list[_Allowed] = [
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


@contextlib.contextmanager
def _plain_data_only(source: str) -> Iterator[None]:
    """Within it ``torch.load(weights_only=True)`` also rebuilds what a Runner saves.

    Raises:
        pickle.UnpicklingError: The checkpoint asks for a class or function not on the list.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_allowed_globals()):
            yield
    except pickle.UnpicklingError as error:
        # Of torch's long message only what was refused: the rest advises weights_only=False.
        reason = str(error).rpartition('WeightsUnpickler error: ')[2].strip().partition('\n')[0]
        found = re.search(r'GLOBAL (.+?) (?:was not|whose)', str(error))
        refused = found.group(1) if found else f'"{reason}"'
        raise pickle.UnpicklingError(
            'checkpoint loader: a checkpoint must hold only tensors, plain data and log history, '
            f'got {refused} in {source}, which was not run; if you trust the author, name its '
            'class or function in torch.serialization.add_safe_globals([...]) before you load, or '
            "save the file again with its 'state_dict' alone."
        ) from None


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a checkpoint file; of what it holds, only tensors and plain data are rebuilt.

    Classes that a user has admitted by ``torch.serialization.add_safe_globals`` are rebuilt too.

    Args:
        filename: Path of the checkpoint; ``~`` is the home folder.
        map_location: As in :func:`torch.load`.

    Returns:
        What was saved, a dict in a checkpoint of MMEngine.

    Raises:
        FileNotFoundError: There is no such file.
        pickle.UnpicklingError: The file asks for a class or function that is not on the list.
    """
    import torch

    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'{filename} can not be found.')
    with _plain_data_only(filename):
        return torch.load(filename, map_location=map_location, weights_only=True)


def _is_guarded_by_torch() -> bool:
    return release(version_of('torch')) >= (2, 6)


def _history_is_refused() -> bool:
    load = 'torch.load(filename, map_location=map_location)'
    return _is_guarded_by_torch() and load in source_of('mmengine.runner.checkpoint')


def _register_loader(checkpoint: Any) -> None:
    checkpoint.CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)


def _addresses_are_trusted() -> bool:
    return _is_guarded_by_torch() and 'weights_only: bool = False' in source_of('torch.hub')


def _check_addresses(checkpoint: Any) -> None:
    host_load_url = checkpoint.load_url

    @functools.wraps(host_load_url)
    def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
        with _plain_data_only(url):
            return host_load_url(url, *args, weights_only=True, **kwargs)

    checkpoint.load_url = load_url


MENDS = (
    Mend(
        name='Weights only load failed: MMEngine cannot load its own checkpoints',
        hosts=('mmengine', 'torch'),
        module='mmengine.runner.checkpoint',
        fault=_history_is_refused,
        mend=_register_loader,
        remedy='pip install "torch<2.6"',
    ),
    Mend(
        name='A checkpoint from an address may run code (weights_only=False)',
        hosts=('torch',),
        module='mmengine.runner.checkpoint',
        fault=_addresses_are_trusted,
        mend=_check_addresses,
        remedy='load only what you trust',
    ),
)
