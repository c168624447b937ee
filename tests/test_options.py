"""Options have the types that a signature says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmaction_kd.options import check_range, checked_options

NAN, INF = float('nan'), float('inf')


class Component:
    """Has options of every kind."""

    @checked_options
    def __init__(
        self,
        size: int = 1,
        weight: float | None = None,
        flag: bool = False,
        name: str | Path = '',
        weights: float | Sequence[float] = 1.0,
        subsets: Mapping[str, Sequence[int]] | None = None,
        model: np.ndarray | dict | None = None,
        anything: Any = None,
        **rest: int,
    ) -> None:
        self.got = dict(size=size, weight=weight, flag=flag, name=name, weights=weights, rest=rest)


class Child(Component):
    """Is told by its own name."""


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(size=3, weight=2, flag=True, name=Path('a'), weights=(1, 0.5)),
        dict(size=np.int64(3), weight=np.float32(2), flag=np.bool_(True), weights=[]),
        dict(subsets=dict(a=[1], b=range(3)), model={}, anything=object()),
        dict(weight=INF, rest_of_it=1),
    ],
)
def test_what_the_signature_says_is_taken(options):
    assert Component(**options).got['size'] == options.get('size', 1)


@pytest.mark.parametrize(
    'options, words',
    [
        (dict(size=1.0), 'size must be a whole number, got 1.0'),
        (dict(size=True), 'size must be a whole number, got True'),
        (dict(size='3'), "size must be a whole number, got '3'"),
        (dict(size=None), 'size must be a whole number, got None'),
        (dict(weight=NAN), 'weight must be a number or None, got nan'),
        (dict(weight=False), 'weight must be a number or None, got False'),
        (dict(flag=1), 'flag must be True or False, got 1'),
        (dict(flag='False'), "flag must be True or False, got 'False'"),
        (dict(name=3), 'name must be a string or a path, got 3'),
        (dict(weights='12'), "weights must be a number or a list of numbers, got '12'"),
        (dict(weights=[1, NAN]), r'weights must be a number or a list of numbers, got \[1, nan\]'),
        (dict(subsets=dict(a='01')), 'subsets must be a dict of lists of whole numbers or None'),
        (dict(subsets={0: [1]}), 'subsets must be a dict of lists of whole numbers or None'),
        (dict(subsets=[1]), 'subsets must be a dict of lists of whole numbers or None'),
    ],
)
@pytest.mark.parametrize('kind', [Component, Child])
def test_anything_else_is_refused_by_name(kind, options, words):
    with pytest.raises(TypeError, match=f'^{kind.__name__}: {words}'):
        kind(**options)
    if 'size' in options:
        with pytest.raises(TypeError, match=f'^{kind.__name__}: {words}'):
            kind(options['size'])


def test_unknown_and_missing_options_are_named():
    @checked_options
    def make_part(width: int) -> int:
        return width

    assert make_part(3) == 3
    with pytest.raises(TypeError, match=r'make_part\(\) got an unexpected keyword .*depth'):
        make_part(3, depth=1)
    with pytest.raises(TypeError, match=r"make_part\(\) missing 1 required .*'width'"):
        make_part()
    with pytest.raises(TypeError, match=r'^make_part: width must be a whole number'):
        make_part(None)


@pytest.mark.parametrize('inside', [0, 0.5, 1])
def test_a_range_has_its_ends(inside):
    check_range('X', 'k', inside, 0, 1)
    check_range('X', 'k', inside, above=-1, below=1.5)


@pytest.mark.parametrize(
    'value, ends, words',
    [
        (-0.1, dict(at_least=0), 'at least 0, got -0.1'),
        (0, dict(above=0), 'above 0, got 0'),
        (1.5, dict(at_least=0, at_most=1), r'in \[0, 1\], got 1.5'),
        (1, dict(at_least=0, below=1), r'in \[0, 1\), got 1'),
        (0, dict(above=0, at_most=1), r'in \(0, 1\], got 0'),
        (INF, dict(above=0), 'above 0 and finite, got inf'),
        (NAN, dict(at_least=0), 'at least 0 and finite, got nan'),
    ],
)
def test_out_of_range(value, ends, words):
    with pytest.raises(ValueError, match=f'^X: k must be {words}'):
        check_range('X', 'k', value, **ends)
