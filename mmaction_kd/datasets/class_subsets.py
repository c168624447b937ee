"""Names of the classes, and named subsets of them, such as static and dynamic."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from mmaction_kd.options import is_of_type, name_of

Subsets = str | Path | Mapping[str, Sequence[int]]
CLASS_LISTS = Path(__file__).with_name('class_lists')
SHIPPED = tuple(sorted(path.stem for path in CLASS_LISTS.glob('*.json')))
"""Data sets whose static and dynamic classes DTKD prints (section 3.1): 'hmdb51', 'ucf101'."""


class ClassSubsets(NamedTuple):
    """The classes of a data set, and its subsets.

    Attributes:
        classes: all K names, in the order of the labels.
        names: classes of each subset, in the order of the labels.
    """

    classes: tuple[str, ...]
    names: dict[str, tuple[str, ...]]

    @property
    def indices(self) -> dict[str, list[int]]:
        """Class indices of each subset."""
        index = {name: i for i, name in enumerate(self.classes)}
        return {subset: [index[name] for name in names] for subset, names in self.names.items()}


def read_classes(path: str | Path, owner: str) -> tuple[str, ...]:
    """Read class names, one per line, in the order of the labels.

    Args:
        path: of the file.
        owner: component that the user configures, for errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not UTF-8 text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{owner}: classes must be a file with one name a line, got {path}, which is not there.'
        )
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{owner}: classes must be a file of text in UTF-8, got {path}: {error}.'
        ) from error
    return tuple(text.removesuffix('\n').split('\n')) if text else ()


def load_subsets(path: str | Path) -> ClassSubsets:
    """Read the paper's lists, the output of tools/data/optical_flow_subsets.py, or a custom file.

    ::

        {"classes": ["lie", "run", "sit"],
         "subsets": {"dynamic": ["run"], "static": ["lie", "sit"]}}

    Names are matched by :func:`class_key`.

    Args:
        path: of the JSON file, whose other keys are ignored; or one of ``SHIPPED``, for the lists
            that DTKD prints (a file of that name is ``./ucf101``).

    Returns:
        The subsets, with the names as ``classes`` spells them.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not such JSON, a class is named twice, a subset names an unknown
            class, or a class is not in exactly one subset.
    """
    path = subsets_file(path)
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'Class subsets: there is no file {path}; make it with '
            f'`tools/data/optical_flow_subsets.py CONFIG --out {path}`, write the classes of each '
            f'subset into one, or name one of {list(SHIPPED)}.'
        ) from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, nested without end
        raise ValueError(f'Class subsets: {path} must be JSON, got: {error}.') from error
    if not isinstance(content, dict) or not {'classes', 'subsets'} <= content.keys():
        raise ValueError(
            f"Class subsets: {path} must hold 'classes' and 'subsets', got "
            f'{sorted(content) if isinstance(content, dict) else type(content).__name__}.'
        )
    for key, wanted in dict(classes=list[str], subsets=dict[str, list[str]]).items():
        if not is_of_type(content[key], wanted):
            raise ValueError(
                f"Class subsets: '{key}' of {path} must be {name_of(wanted)}, got "
                f'{content[key]!r:.200}; write the names as they stand in the annotations.'
            )
    classes = tuple(content['classes'])
    index = {class_key(name): i for i, name in enumerate(classes)}
    twice = [name for i, name in enumerate(classes) if index[class_key(name)] != i]
    if twice:
        raise ValueError(
            f"Class subsets: 'classes' of {path} must name each class once, whatever its case, "
            f'hyphens and underscores, got {twice} again; rename them.'
        )
    indices = {}
    for subset, names in sorted(content['subsets'].items()):
        unknown = [name for name in names if class_key(name) not in index]
        if unknown:
            raise ValueError(
                f"Class subsets: {path} must name classes only, got {unknown} in '{subset}'; the "
                f'classes are {list(classes)}.'
            )
        indices[subset] = sorted(index[class_key(name)] for name in names)
    check_partition(f'Class subsets of {path}', 'subsets', indices, len(classes))
    return ClassSubsets(
        classes, {subset: tuple(classes[i] for i in rows) for subset, rows in indices.items()}
    )


def class_key(name: str) -> str:
    """Normalise a class name for comparison: drop case, hyphens and underscores.

    UCF101 itself spells HandstandPushups (folder) and HandStandPushups (videos), the paper
    Handstand-Pushups.

    Example:
        >>> class_key('Handstand-Pushups') == class_key('HandStandPushups')
        True
    """
    return re.sub('[-_]', '', name).lower()


def subsets_file(subsets: str | Path) -> Path:
    """Return the file of a path or of a name of ``SHIPPED``."""
    return CLASS_LISTS / f'{subsets}.json' if str(subsets) in SHIPPED else Path(subsets)


def subset_indices(subsets: Subsets) -> dict[str, list[int]]:
    """Return the class indices of each subset.

    Args:
        subsets: path of a file or a name of ``SHIPPED``, see :func:`load_subsets`; or the indices
            themselves.

    Raises:
        FileNotFoundError, ValueError: see :func:`load_subsets`.
    """
    if isinstance(subsets, Mapping):
        return {name: list(classes) for name, classes in subsets.items()}
    return load_subsets(subsets).indices


def check_partition(
    owner: str, key: str, subsets: Mapping[str, Sequence[int]], num_classes: int | None = None
) -> None:
    """Refuse subsets that leave a class out or name one twice.

    Args:
        owner: component that the user configures, for errors.
        key: the setting's name.
        subsets: class indices of every subset.
        num_classes: K. None: the number of indices.

    Raises:
        ValueError: there are fewer than two subsets, one is empty or has a name that no teacher can
            have, or a class of 0..K−1 is not in exactly one.
    """
    unfit = [n for n in subsets if not re.fullmatch(r'\w[\w -]*', n) or keyword.iskeyword(n)]
    if unfit:
        raise ValueError(
            f'{owner}: {key} must have names of letters, digits, "_", "-" and spaces that are no '
            f'keywords, as they name teachers, metrics and files, got {unfit}; rename them.'
        )
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
