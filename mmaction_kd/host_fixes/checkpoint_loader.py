"""Checkpoints: MMEngine's own can be loaded, and a stranger's runs no code, under any torch.

From 2.6 on ``torch.load`` unpickles from an allow-list of its own, which lacks the log history that
a checkpoint of MMEngine's Runner holds: it is added from
:mod:`~mmaction_kd.host_fixes.plain_pickle`. A checkpoint from an address, which ``torch.hub``
unpickles without a list, is loaded in the same way.

Before 2.6 ``torch.load`` runs what the file says, and its restricted unpickler takes no more names.
There Python's own unpickler looks each name up in the same list instead.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, release, source_of, version_of
from mmaction_kd.host_fixes.plain_pickle import allowed_globals, refused_by


@contextlib.contextmanager
def _plain_data_only(source: str) -> Iterator[None]:
    """Within it ``torch.load(weights_only=True)`` also rebuilds what a Runner saves.

    Raises:
        pickle.UnpicklingError: The checkpoint asks for a class or function not on the list.
    """
    import torch

    guarded = _is_guarded_by_torch()
    names = allowed_globals() if guarded else []
    more_names = torch.serialization.safe_globals(names) if guarded else contextlib.nullcontext()
    try:
        with more_names:
            yield
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(
            'checkpoint loader: a checkpoint must hold only tensors, plain data and log history, '
            f'got {refused_by(error)} in {source}, which was not run; if you trust the author, '
            'name its class or function in torch.serialization.add_safe_globals([...]), from torch '
            "2.4 on, before you load, or save the file again with its 'state_dict' alone."
        ) from None


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a checkpoint file; of what it holds, only tensors and plain data are rebuilt.

    Classes that a user has admitted by ``torch.serialization.add_safe_globals`` are rebuilt too.

    Args:
        filename: path of the checkpoint; ``~`` is the home folder.
        map_location: as in :func:`torch.load`.

    Returns:
        What was saved, a dict in a checkpoint of MMEngine.

    Raises:
        FileNotFoundError: there is no such file.
        pickle.UnpicklingError: The file asks for a class or function that is not on the list.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise FileNotFoundError(f'{filename} can not be found.')
    with _plain_data_only(filename):
        return _plain_load()(filename, map_location=map_location)


def _plain_load() -> Callable:
    """``torch.load`` that rebuilds nothing but what is on a list."""
    import torch

    if _is_guarded_by_torch():
        return functools.partial(torch.load, weights_only=True)
    from mmaction_kd.host_fixes import plain_pickle

    return functools.partial(torch.load, pickle_module=plain_pickle)


def _is_guarded_by_torch() -> bool:
    return release(version_of('torch')) >= (2, 6)


def _calls_torch_load() -> bool:
    load = 'torch.load(filename, map_location=map_location)'
    return load in source_of('mmengine.runner.checkpoint')


def _history_is_refused() -> bool:
    return _is_guarded_by_torch() and _calls_torch_load()


def _files_are_trusted() -> bool:
    return not _is_guarded_by_torch() and _calls_torch_load()


def _register_loader(checkpoint: Any) -> None:
    checkpoint.CheckpointLoader.register_scheme(prefixes='', loader=load_from_local, force=True)


def _addresses_are_trusted() -> bool:
    """Before 2.4 the hub has no ``weights_only`` at all."""
    return not _is_guarded_by_torch() or 'weights_only: bool = False' in source_of('torch.hub')


def _check_addresses(checkpoint: Any) -> None:
    host_load_url = checkpoint.load_url

    @functools.wraps(host_load_url)
    def load_url(url: str, *args: Any, **kwargs: Any) -> Any:
        with _plain_data_only(url):
            if _is_guarded_by_torch():
                return host_load_url(url, *args, weights_only=True, **kwargs)
            with _torch_load_is(_plain_load()):  # the hub has no option for it
                return host_load_url(url, *args, **kwargs)

    checkpoint.load_url = load_url


@contextlib.contextmanager
def _torch_load_is(load: Callable) -> Iterator[None]:
    import torch

    original, torch.load = torch.load, load
    try:
        yield
    finally:
        torch.load = original


FIXES = (
    Fix(
        name='Weights only load failed: MMEngine cannot load its own checkpoints',
        hosts=('mmengine', 'torch'),
        module='mmengine.runner.checkpoint',
        fault=_history_is_refused,
        patch=_register_loader,
        remedy='pip install "torch<2.6"',
    ),
    Fix(
        name='A checkpoint file may run code (torch < 2.6)',
        hosts=('mmengine', 'torch'),
        module='mmengine.runner.checkpoint',
        fault=_files_are_trusted,
        patch=_register_loader,
        remedy='load only what you trust, or pip install "torch>=2.6"',
    ),
    Fix(
        name='A checkpoint from an address may run code (weights_only=False)',
        hosts=('torch',),
        module='mmengine.runner.checkpoint',
        fault=_addresses_are_trusted,
        patch=_check_addresses,
        remedy='load only what you trust',
    ),
)
