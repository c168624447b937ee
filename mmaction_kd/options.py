"""Check the options of a component: types, choices and ranges, with errors that name the option."""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np

P = ParamSpec('P')
R = TypeVar('R')


class Range(NamedTuple):
    """Bounds of a number in an annotation, such as ``Annotated[float, Range(0, below=1)]``."""

    at_least: float = -math.inf
    at_most: float = math.inf
    above: float = -math.inf
    below: float = math.inf


Count = Annotated[int, Range(1)]
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(0)]
Ratio = Annotated[float, Range(0, 1)]

UNIONS = (Union, types.UnionType)
LISTS = (Sequence, list, tuple)
MAPPINGS = (Mapping, dict)
# Names of the types in errors, singular and plural.
NAMES: dict[Any, tuple[str, str]] = {
    bool: ('True or False', 'True or False'),
    int: ('a whole number', 'whole numbers'),
    float: ('a number', 'numbers'),
    str: ('a string', 'strings'),
    Path: ('a path', 'paths'),
    types.NoneType: ('None', 'None'),
    **dict.fromkeys(LISTS, ('a list', 'lists')),
    **dict.fromkeys(MAPPINGS, ('a dict', 'dicts')),
}


def checked_options(make: Callable[P, R]) -> Callable[P, R]:
    """Decorate a constructor to refuse arguments that its annotations exclude.

    Configs are written by hand, and Python accepts any value for any argument: 'False' is true,
    True is the number 1, and None fails deep inside PyTorch.

    True is no number, 1.0 is no integer, NaN is neither, and strings are no lists. Unknown and
    missing arguments raise Python's own errors, which name them.

    Args:
        make: an ``__init__``, or a factory function. ``Literal`` is a choice, ``Annotated`` with a
            :class:`Range` a number within bounds.

    Returns:
        The same, which first raises a TypeError for another type, and a ValueError for a value
        that is not among the choices or out of range.

    Example:
        >>> class Smooth:
        ...     @checked_options
        ...     def __init__(self, width: Count, kind: Literal['mean', 'max'] = 'mean') -> None: ...
        >>> smooth = Smooth(3, 'max')
        >>> Smooth(3.0)
        Traceback (most recent call last):
        TypeError: Smooth: width must be a whole number, got 3.0.
        >>> Smooth(3, 'min')
        Traceback (most recent call last):
        ValueError: Smooth: kind must be one of ['mean', 'max'], got 'min'.
    """
    names = list(inspect.signature(make).parameters)

    @functools.cache  # on first use: an annotation may name a later import
    def wanted() -> dict[str, Any]:
        return get_type_hints(make, include_extras=True)

    @functools.wraps(make)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        owner = type(args[0]).__name__ if names[0] == 'self' else make.__name__
        check_options(owner, {**dict(zip(names, args, strict=False)), **kwargs}, wanted())
        return make(*args, **kwargs)

    return checked


def check_options(owner: str, options: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse options of the wrong type or value, by name.

    Args:
        owner: the component that the user configures.
        options: what the user gave, by name.
        wanted: annotations by name; an option without one may have any type.

    Raises:
        TypeError: an option is of another type.
        ValueError: an option is not among its choices or out of range.
    """
    for key, value in options.items():
        if key not in wanted:
            continue
        if not is_of_type(value, wanted[key]):
            raise TypeError(f'{owner}: {key} must be {name_of(wanted[key])}, got {value!r}.')
        _check_value(owner, key, value, wanted[key])


def _check_value(owner: str, key: str, value: Any, wanted: Any) -> None:
    """Refuse a value of the right type that a Literal or a Range excludes, also within a list."""
    outer, inner = get_origin(wanted) or wanted, get_args(wanted)
    if outer in UNIONS:
        _check_value(owner, key, value, next(one for one in inner if is_of_type(value, one)))
    elif outer is Literal:
        check_choice(owner, key, value, inner)
    elif outer is Annotated:
        for bounds in inner[1:]:
            check_range(owner, key, value, *bounds)
    elif outer in MAPPINGS and inner:
        for name, item in value.items():
            _check_value(owner, f'a key of {key}', name, inner[0])
            _check_value(owner, key, item, inner[1])
    elif outer in LISTS and inner:
        for item in value:
            _check_value(owner, key, item, inner[0])


def is_of_type(value: Any, wanted: Any) -> bool:
    """Return whether a value, with the items of lists and dicts, fits an annotation.

    Args:
        value: any.
        wanted: a type of :data:`NAMES`, a list or dict of such, a Literal, a union.

    Returns:
        Always True for other classes, which the component checks itself.
    """
    outer, inner = get_origin(wanted) or wanted, get_args(wanted)
    if outer in UNIONS:
        return any(is_of_type(value, one) for one in inner)
    if outer is Annotated:
        return is_of_type(value, inner[0])
    if outer is Literal:
        return any(is_of_type(value, type(choice)) for choice in inner)
    if outer not in NAMES:
        return True
    if outer is bool:
        return isinstance(value, (bool, np.bool_))
    if outer in (int, float):
        number = isinstance(value, Integral if outer is int else Real)
        return number and not isinstance(value, bool) and value == value  # NaN is not itself
    if outer in MAPPINGS:
        return isinstance(value, outer) and all(
            is_of_type(item, one)
            for pair in value.items()
            for item, one in zip(pair, inner, strict=False)
        )
    if outer in LISTS:
        several = isinstance(value, outer) and not isinstance(value, (str, bytes))
        return several and all(is_of_type(item, one) for one in inner[:1] for item in value)
    return isinstance(value, outer)


def name_of(wanted: Any, several: bool = False) -> str:
    """Return an annotation in words.

    Args:
        wanted: as in :func:`is_of_type`.
        several: in the plural.

    Returns:
        Such as 'a whole number or None'.
    """
    outer, inner = get_origin(wanted) or wanted, get_args(wanted)
    if outer in UNIONS:
        *first, last = (name_of(one, several) for one in inner)
        return f'{", ".join(first)} or {last}'
    if outer is Annotated:
        return name_of(inner[0], several)
    if outer is Literal:
        return f'one of {list(inner)}'
    name = getattr(outer, '__name__', 'anything')
    name = NAMES.get(outer, (f'a {name}', f'{name}s'))[several]
    items = inner[-1:] if outer in MAPPINGS else inner[:1]
    return ' of '.join([name, *(name_of(one, True) for one in items)])


def check_choice(owner: str, key: str, value: object, choices: tuple) -> None:
    """Refuse a setting that is not among its choices, by name.

    Args:
        owner: the component that the user configures.
        key: the setting's name.
        value: what the user gave.
        choices: the valid values.

    Raises:
        ValueError: ``value`` is not in ``choices``.
    """
    if value not in choices:
        raise ValueError(f'{owner}: {key} must be one of {list(choices)}, got {value!r}.')


def check_range(
    owner: str,
    key: str,
    value: float | None,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> None:
    """Refuse a number that is out of its range, not a number or infinite, by name.

    Args:
        owner: the component that the user configures.
        key: the setting's name.
        value: what the user gave; None passes.
        at_least: lower bound, inclusive.
        at_most: upper bound, inclusive.
        above: lower bound, exclusive.
        below: upper bound, exclusive.

    Raises:
        ValueError: ``value`` is out of the range.

    Example:
        >>> check_range('Dominance', 'momentum', 1.0, 0, below=1)
        Traceback (most recent call last):
        ValueError: Dominance: momentum must be in [0, 1), got 1.0.
    """
    if value is None or (at_least <= value <= at_most and above < value < below):
        return  # neither NaN nor infinity comes here
    if min(at_most, below) < math.inf:
        low = f'[{at_least}' if at_least > above else f'({above}'
        high = f'{at_most}]' if at_most < below else f'{below})'
        words = f'in {low}, {high}'
    else:
        words = f'at least {at_least}' if at_least > above else f'above {above}'
    finite = '' if math.isfinite(value) else ' and finite'
    raise ValueError(f'{owner}: {key} must be {words}{finite}, got {value}.')
