"""Files with named subsets of the classes."""

import json

import pytest

from mmaction_kd.class_subsets import load_subsets, subset_indices

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
            dict(classes=CLASSES, subsets=dict(a=['Typing'], b=['Archery'])),
            r'each class of 0..2 exactly once, got none for \[1\]',
        ),
    ],
)
def test_refused(tmp_path, content, words):
    with pytest.raises(ValueError, match=words):
        load_subsets(write(tmp_path / 's.json', **content))


def test_refused_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no file .*none.json; make it with `tools/data'):
        load_subsets(tmp_path / 'none.json')
    (tmp_path / 'half.json').write_text('{"classes": [')
    with pytest.raises(ValueError, match=r'half.json must be JSON, got'):
        load_subsets(tmp_path / 'half.json')
