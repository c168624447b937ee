"""Named subsets of the classes, such as static and dynamic: which classes are whose."""

from collections.abc import Mapping, Sequence
from itertools import pairwise


def check_partition(
    owner: str, key: str, subsets: Mapping[str, Sequence[int]], num_classes: int | None = None
) -> None:
    """Refuse subsets that leave a class out or name one twice.

    Args:
        owner: the component that the user configures.
        key: the setting's name.
        subsets: class indices of every subset.
        num_classes: K; None where it is known from the subsets alone.

    Raises:
        ValueError: there are not two subsets or more, one is empty, or a class of 0..K−1 is not in
            exactly one.
    """
    if len(subsets) < 2 or not all(len(classes) for classes in subsets.values()):
        sizes = {name: len(classes) for name, classes in subsets.items()}
        raise ValueError(f'{owner}: {key} must be at least two subsets with classes, got {sizes}.')
    named = sorted(index for classes in subsets.values() for index in classes)
    everything = range(len(named) if num_classes is None else num_classes)
    if named != list(everything):
        twice = sorted({a for a, b in pairwise(named) if a == b})
        missing, unknown = set(everything) - set(named), set(named) - set(everything)
        raise ValueError(
            f'{owner}: {key} must hold each class of 0..{len(everything) - 1} exactly once, got '
            f'none for {sorted(missing)}, several for {twice}, unknown {sorted(unknown)}; count '
            'the classes of the full label set, in its order.'
        )
