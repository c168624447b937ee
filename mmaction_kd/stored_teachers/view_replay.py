"""Make the same view of a video again, bit for bit: a view is a seed."""

from __future__ import annotations

import hashlib
import os.path
import random
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from torch import Tensor

from mmaction_kd.datasets.random_numbers import random_state_kept

Clips = Tensor | Mapping[str, 'Clips']


def video_key(dataset: BaseDataset, index: int) -> str:
    """What a video is called wherever its data set lies.

    Args:
        dataset: of MMEngine's kind.
        index: of the video.

    Returns:
        Its path below the folder of ``data_prefix``, with first frame and length where the
        annotation has them.

    Raises:
        ValueError: the data set's videos are neither files nor folders of frames.
    """
    info = dataset.get_data_info(index)
    path = info.get('filename', info.get('frame_dir'))
    if path is None:
        raise ValueError(
            "Stored teachers: a video must have 'filename' or 'frame_dir', got "
            f'{sorted(info)} of {type(dataset).__name__}; a view can only be kept of a video '
            'that has a name.'
        )
    roots = (os.path.join(root, '') for root in dataset.data_prefix.values() if root)
    root = max((root for root in roots if path.startswith(root)), key=len, default='')
    part = f' {info["offset"]} {info["total_frames"]}' if 'offset' in info else ''
    return path[len(root) :] + part


def view_seed(seed: int, key: str, view: int) -> int:
    """The seed of a view: of its store, its video and its number alone.

    Args:
        seed: of the store.
        key: of the video, see :func:`video_key`.
        view: 0 to V − 1.

    Returns:
        64 bits.
    """
    digest = hashlib.sha256(f'{seed}\n{key}\n{view}'.encode()).digest()
    return int.from_bytes(digest[:8], 'little')


@contextmanager
def random_numbers_of(seed: int) -> Iterator[None]:
    """Draw from a seed within the block, and restore the random state afterwards.

    Python's, NumPy's and torch's (CPU) global generators: what transforms draw from. Generators of
    a GPU are left alone, which a worker process could not even reach.

    Args:
        seed: 64 bits.
    """
    with random_state_kept(gpus=False):
        own = np.random.SeedSequence(seed).generate_state(3).tolist()  # or they would be correlated
        random.seed(own[0])
        np.random.seed(own[1])
        torch.default_generator.manual_seed(own[2])
        yield


def build_dataset(cfg: Mapping, owner: str) -> BaseDataset:
    """Build a data set whose views can be made again.

    Some transforms draw when they are built (MMAction2's ColorJitter the order of its steps): here
    always the same.

    Args:
        cfg: of a data set of MMAction2, or of an OpticalFlowSubset of one.
        owner: the component that the user configures.

    Returns:
        The data set.

    Raises:
        TypeError: it is another wrapper.
    """
    from mmaction_kd.datasets.optical_flow_subset import OpticalFlowSubset  # it imports this

    with random_numbers_of(0):
        dataset = DATASETS.build(cfg)
    if isinstance(dataset, OpticalFlowSubset):
        dataset.full_init()
        dataset = dataset.dataset
    if not isinstance(dataset, BaseDataset):
        raise TypeError(
            f'{owner}: dataset must be a data set that holds its own list of videos, got '
            f'{type(dataset).__name__}; put the wrapper around StoredTeacherViews instead.'
        )
    return dataset


def replay_view(dataset: BaseDataset, index: int, key: str, view: int, seed: int) -> dict | None:
    """Run a data set's pipeline with the random numbers of a view.

    Args:
        dataset: of MMEngine's kind.
        index: of the video.
        key: see :func:`video_key`.
        view: 0 to V − 1.
        seed: of the store.

    Returns:
        What the pipeline returns: ``inputs`` and ``data_samples``; or None.

    Raises:
        TypeError: it returns something else.
    """
    with random_numbers_of(view_seed(seed, key, view)):
        sample = dataset.prepare_data(index)
    if sample is not None and not isinstance(sample, dict):
        raise TypeError(
            f'Stored teachers: the pipeline must pack one sample a video, got '
            f'{type(sample).__name__} from {type(dataset).__name__}; take a data set that does '
            'not repeat its videos itself.'
        )
    return sample


def clip_checksum(inputs: Clips) -> int:
    """CRC-32 of all that a pipeline packed as ``inputs``.

    Args:
        inputs: a tensor, or tensors by name, in a dict or in several.

    Returns:
        The CRC-32 of names, types, shapes and bytes, in the order of the names. The bytes are read
        as they lie in memory: a clip whose axes were exchanged, as FormatShape leaves it, would
        take three times as long to copy as to sum.
    """
    return _checksum(inputs, '', 0)


def _checksum(inputs: Clips, name: str, before: int) -> int:
    if isinstance(inputs, Mapping):
        for key in sorted(inputs):
            before = _checksum(inputs[key], f'{name}.{key}', before)
        return before
    axes = sorted(range(inputs.dim()), key=inputs.stride, reverse=True)
    what = f'{name} {inputs.dtype} {tuple(inputs.shape)} {axes}'
    content = inputs.permute(axes).contiguous().flatten().view(torch.uint8).numpy()
    return zlib.crc32(content.data, zlib.crc32(what.encode(), before))
