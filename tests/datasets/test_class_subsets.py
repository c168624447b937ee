"""Files with named subsets of the classes."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strange_input import QUICK, TEXT

from mmaction_kd.datasets.class_subsets import load_subsets, subset_indices

CLASSES = ['Archery', 'HandstandPushups', 'Typing']


def write(path, **content):
    path.write_text(json.dumps(content))
    return path


def test_indices_are_those_of_the_labels(tmp_path):
    subsets = dict(static=['Typing', 'Archery'], dynamic=['HandstandPushups'])
    path = write(tmp_path / 's.json', classes=CLASSES, subsets=subsets, motion=dict(unit='px'))
    found = load_subsets(path)
    assert found.classes == tuple(CLASSES)
    assert found.names == dict(dynamic=('HandstandPushups',), static=('Archery', 'Typing'))
    assert found.indices == dict(dynamic=[1], static=[0, 2])
    assert subset_indices(str(path)) == found.indices
    assert list(found.indices) == ['dynamic', 'static']  # MMEngine's order of a dumped config


def test_names_match_without_regard_to_case(tmp_path):
    subsets = dict(static=['typing', 'ARCHERY'], dynamic=['HandStandPushups'])
    path = write(tmp_path / 's.json', classes=CLASSES, subsets=subsets)
    assert load_subsets(path).names['dynamic'] == ('HandstandPushups',)


def test_names_match_without_regard_to_hyphens_and_underscores(tmp_path):
    """The paper breaks a name at the end of a line."""
    subsets = dict(static=['Typ-ing', 'archery_'], dynamic=['Handstand-Push_ups'])
    path = write(tmp_path / 's.json', classes=CLASSES, subsets=subsets)
    assert load_subsets(path).indices == dict(dynamic=[1], static=[0, 2])


@pytest.mark.parametrize(('name', 'classes', 'static'), [('ucf101', 101, 26), ('hmdb51', 51, 13)])
def test_the_papers_lists_have_names(name, classes, static):
    """Their numbers of videos are in datasets/test_official_lists.py."""
    found = load_subsets(name)
    assert (len(found.classes), len(found.names['static'])) == (classes, static)
    assert len(found.names['dynamic']) == classes - static
    assert list(found.classes) == sorted(found.classes, key=str.lower)
    assert subset_indices(name) == load_subsets(Path(name)).indices == found.indices


def test_indices_may_be_given_themselves():
    given = dict(static=(0, 2), dynamic=range(1, 2))
    assert subset_indices(given) == dict(static=[0, 2], dynamic=[1])


@pytest.mark.parametrize(
    'content, words',
    [
        (dict(classes=CLASSES), r"must hold 'classes' and 'subsets', got \['classes'\]"),
        (
            dict(classes=CLASSES, subsets=dict(a=['Typing', 'Rowing'], b=['Archery'])),
            r"must name classes only, got \['Rowing'\] in 'a'; the classes are \['Archery'",
        ),
        (
            dict(classes=['run', 'Run'], subsets=dict(a=['run'], b=['Run'])),
            r"'classes' of .* must name each class once, .*, got \['run'\] again",
        ),
        (
            dict(classes=CLASSES, subsets=dict(a=['Typing'], b=['Archery'])),
            r'each class of 0..2 exactly once, got none for \[1\]',
        ),
    ],
)
def test_refused(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        load_subsets(write(tmp_path / 's.json', **content))


def test_refused_files(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no file .*none.json; .* name one of \['hmdb51', 'ucf101'\]"
    ):
        load_subsets(tmp_path / 'none.json')
    (tmp_path / 'half.json').write_text('{"classes": [')
    with pytest.raises(ValueError, match=r'half.json must be JSON, got'):
        load_subsets(tmp_path / 'half.json')


# --- Strange files ------------------------------------------------------------------------------

REGULAR = dict(classes=CLASSES, subsets=dict(static=['Typing', 'Archery'], dynamic=CLASSES[1:2]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(CLASSES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def is_read_right_or_refused_by_name(path, content):
    path.write_bytes(content)
    try:
        found = load_subsets(path)
    except ValueError as error:
        assert str(path) in str(error) and ' must ' in str(error)
        return
    assert len(set(map(str.lower, found.classes))) == len(found.classes)
    assert sorted(itertools.chain(*found.names.values())) == sorted(found.classes)
    assert sorted(itertools.chain(*found.indices.values())) == list(range(len(found.classes)))
    assert len(found.names) >= 2


@QUICK
@given(places=st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), max_size=3))
def test_flipped_bytes(tmp_path, places):
    content = bytearray(json.dumps(REGULAR).encode())
    for place, byte in places:
        content[place % len(content)] = byte
    is_read_right_or_refused_by_name(tmp_path / 's.json', bytes(content))


@QUICK
@given(classes=JSON | st.lists(TEXT, max_size=3), subsets=JSON)
@example(classes=['a', 'A'], subsets=dict(x=['a'], y=['A']))
@example(classes=[['a']], subsets=dict(x=['a']))
@example(classes='ab', subsets=dict(x='a', y='b'))
@example(classes=['a', 'b'], subsets={'../x': ['a'], 'y': ['b']})
@example(classes=['a', 'b'], subsets=dict(x='a', y='b'))
@example(classes=['a', 'b'], subsets=[['a'], ['b']])
@example(classes=['a', 'b'], subsets=dict(x=['a'], y=[None]))
def test_any_other_content(tmp_path, classes, subsets):
    content = json.dumps(dict(classes=classes, subsets=subsets)).encode()
    is_read_right_or_refused_by_name(tmp_path / 's.json', content)


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'[' * 10**5, b'3', b'null', b'{}'])
def test_what_is_no_file_of_subsets(tmp_path, content):
    path = tmp_path / 's.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'^Class subsets: {path} must '):
        load_subsets(path)


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_it(tmp_path):
    path, text = tmp_path / 's.json', json.dumps(REGULAR, indent=1).replace('\n', '\r\n')
    path.write_bytes(b'\xef\xbb\xbf' + text.encode())
    assert load_subsets(path).classes == tuple(CLASSES)
