"""Reading, checking and writing of checkpoints, as every converter needs it."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mmaction_kd.utils.atomic_file import atomic_file

StateDict = dict[str, Tensor]


def load_state_dict(path: Path, *keys: str) -> StateDict:
    """Read the parameters of a published checkpoint, without running code from it.

    Args:
        path: A file written by ``torch.save``.
        *keys: Names under which the parameters may lie in the file; tried in turn. A file with
            none of them is taken as the parameters themselves.

    Returns:
        Parameters and buffers by name, without the ``module.`` of DataParallel.

    Raises:
        SystemExit: If the file holds other objects than tensors and plain values, or no tensors.
    """
    try:
        content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise SystemExit(
            f'{path}: it must hold tensors and plain values only, since anything else can run '
            f'code; load it where it was made and save its state_dict alone.\n{error}'
        ) from error
    found = next((content[key] for key in keys if key in content), content)
    tensors = {
        name.removeprefix('module.'): value
        for name, value in found.items()
        if isinstance(value, Tensor)
    }
    if not tensors:
        raise SystemExit(f'{path}: no tensors under {keys} nor at the top; found {list(content)}.')
    return tensors


def check_against(converted: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check that a converted checkpoint has the keys and the shapes of its model.

    Args:
        converted: What a converter made.
        expected: The ``state_dict`` of the model that will load it.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ; it names them.
    """
    shapes = [
        f'{key} {tuple(converted[key].shape)}, expected {tuple(expected[key].shape)}'
        for key in sorted(expected.keys() & converted.keys())
        if converted[key].shape != expected[key].shape
    ]
    faults = {
        'missing': sorted(expected.keys() - converted.keys()),
        'unexpected': sorted(converted.keys() - expected.keys()),
        'of another shape': shapes,
    }
    if any(faults.values()):
        raise ValueError(
            'Converter: the checkpoint must hold exactly the keys of its model, got\n'
            + '\n'.join(f'  {len(f)} {what}: {"; ".join(f[:8])}' for what, f in faults.items() if f)
            + '\nIs it a checkpoint of another depth or version?'
        )


def save_checkpoint(state_dict: Mapping[str, Tensor], path: Path) -> None:
    """Write a checkpoint that MMEngine loads; atomically.

    Args:
        state_dict: Parameters and buffers by name.
        path: Where to; an older file there is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # torch answers an error of the disk with one of its own
    torch.save({'state_dict': dict(state_dict)}, content)
    with atomic_file(path) as file:
        file.write(content.getbuffer())
