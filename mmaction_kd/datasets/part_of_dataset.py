"""Some of the videos of a data set, whatever it is wrapped in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset

Part = tuple[Any, list[int]]
"""A data set of the same kind with fewer samples, and their indices in the original."""

Choose = Callable[[BaseDataset], Part]
"""Selects videos of a data set that holds its own list of them."""


@runtime_checkable
class HasPart(Protocol):
    """A wrapper that can select some of its videos."""

    def part(self, choose: Choose) -> Part:
        """Return a :data:`Part` of it."""


def part_of(dataset: Any, choose: Choose) -> Part:
    """Select videos of a data set inside its wrappers.

    The wrappers stay. Each remaining sample is made as before; a replacement or a random draw is
    made among those that remain.

    Args:
        dataset: of MMEngine's kind, or a wrapper of MMEngine's or of this package. It is not
            changed.
        choose: see :data:`Choose`.

    Returns:
        See :data:`Part`.
    """
    if isinstance(dataset, BaseDataset):
        return choose(dataset)
    if isinstance(dataset, HasPart):
        return dataset.part(choose)
    dataset.full_init()
    part = copy.copy(dataset)
    if isinstance(dataset, ConcatDataset):
        parts = [part_of(inner, choose) for inner in dataset.datasets]
        part.datasets = [inner for inner, _ in parts]
        part.cumulative_sizes = part.cumsum(part.datasets)
        begins = [0, *dataset.cumulative_sizes]
        return part, [
            begin + i for begin, (_, kept) in zip(begins, parts, strict=False) for i in kept
        ]
    part.dataset, kept = part_of(dataset.dataset, choose)
    new_index = {old: new for new, old in enumerate(kept)}
    kept = [i for i in range(len(dataset)) if dataset._get_ori_dataset_idx(i) in new_index]
    if isinstance(dataset, RepeatDataset):
        part._ori_len = len(part.dataset)
    else:
        part.repeat_indices = [new_index[dataset.repeat_indices[i]] for i in kept]
    return part, kept


def check_known(owner: str, dataset: Any) -> None:
    """Raise TypeError, which names ``owner``, for a wrapper that :func:`part_of` does not know."""
    for inner in _inside(owner, dataset):
        check_known(owner, inner)


def _inside(owner: str, dataset: Any) -> Sequence[Any]:
    if isinstance(dataset, BaseDataset):
        return ()
    if isinstance(dataset, ConcatDataset):
        return dataset.datasets
    if isinstance(dataset, HasPart | RepeatDataset | ClassBalancedDataset):
        return (dataset.dataset,)  # type: ignore[union-attr]
    raise TypeError(
        f'{owner}: dataset must be a data set that holds its own list of videos, or a wrapper of '
        f'MMEngine or of this package, got {type(dataset).__name__}; put it around {owner} instead.'
    )


def prepare_data(dataset: Any, idx: int) -> Any:
    """Run the innermost pipeline on exactly one sample, never on a replacement.

    Args:
        dataset: see :func:`part_of`.
        idx: index of the sample.

    Returns:
        What the pipeline returns.
    """
    if isinstance(dataset, ConcatDataset):
        number, idx = dataset._get_ori_dataset_idx(idx)
        return prepare_data(dataset.datasets[number], idx)
    if isinstance(dataset, RepeatDataset | ClassBalancedDataset):
        return prepare_data(dataset.dataset, dataset._get_ori_dataset_idx(idx))
    return dataset.prepare_data(idx)


def innermost(dataset: Any) -> list[BaseDataset]:
    """Return the data sets inside all wrappers, in order; see :func:`part_of`."""
    if isinstance(dataset, BaseDataset):
        return [dataset]
    inner = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset.dataset]
    return [found for part in inner for found in innermost(part)]
