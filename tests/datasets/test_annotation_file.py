"""Annotation files: read as they are meant, or refused with file, line and remedy."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from strange_input import MANY, QUICK, TEXT

from mmaction_kd.datasets.annotation_file import (
    check_annotations,
    check_config_annotations,
    without_reading,
)

LOADER = 'train_dataloader'

VIDEO_FILES = dict(type='VideoDataset', data_prefix=dict(video='videos'))
FRAMES = dict(type='RawframeDataset', data_prefix=dict(img='frames'))


def unread(path, cfg=VIDEO_FILES, **changes):
    with DefaultScope.overwrite_default_scope('mmaction'):
        whole = {**cfg, 'ann_file': str(path), 'serialize_data': False, **changes}
        return DATASETS.build(without_reading(whole))


def read(path, cfg=VIDEO_FILES, **changes):
    """What the host makes of a file that is not refused: names and labels."""
    dataset = unread(path, cfg, **changes)
    check_annotations(dataset)
    dataset.full_init()
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info.get('filename') or info['frame_dir'], info['label']) for info in infos]


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'train list.txt'


# --- Lines that are as they must be -------------------------------------------------------------


def words(without):
    """Names without what separates them, of no folder; none is blank at an end: the host strips."""
    allowed = st.characters(exclude_categories=['Cs', 'Cc', 'Zl', 'Zp'], exclude_characters=without)
    text = st.text(allowed, min_size=1, max_size=20)
    return text.filter(
        lambda name: name == name.strip() and name[0] != '\ufeff' and not name.endswith('/')
    )


ROWS = dict(
    spaces=(VIDEO_FILES, ' ', words(' \ufeff')),
    commas=(dict(VIDEO_FILES, delimiter=','), ',', words(',\ufeff')),
    folders=(FRAMES, ' ', words('\ufeff').map(lambda name: ''.join(name.split()))),
)


@pytest.mark.parametrize('kind', ROWS)
@QUICK
@given(data=st.data(), line_end=st.sampled_from(['\n', '\r\n', '\r']))
def test_a_regular_file_is_read_as_it_is_written(path, kind, data, line_end):
    """Any letters in names, spaces too with another delimiter, absolute or relative, repeated."""
    cfg, delimiter, names = ROWS[kind]
    row = st.tuples(names.filter(bool), st.integers(0, 10**6))
    rows = data.draw(st.lists(row, min_size=1, max_size=5))
    frames = [['7']] * len(rows) if cfg is FRAMES else [[]] * len(rows)
    lines = [
        delimiter.join([name, *more, str(label)])
        for (name, label), more in zip(rows, frames, strict=True)
    ]
    end = data.draw(st.sampled_from(['', line_end]))
    path.write_bytes((line_end.join(lines) + end).encode())
    folder = next(iter(cfg['data_prefix'].values()))
    joined = [(name if name.startswith('/') else f'{folder}/{name}', y) for name, y in rows]
    assert read(path, cfg) == joined


def test_offsets_and_several_labels_are_read(path):
    path.write_text('a 0 20 1\na 20 30 0\n')
    assert read(path, FRAMES, with_offset=True) == [('frames/a', 1), ('frames/a', 0)]
    path.write_text('a.mp4 1 3\nb.mp4 0\n')
    found = [label.tolist() for _, label in read(path, multi_class=True, num_classes=4)]
    assert found == [[0, 1, 0, 1], [1, 0, 0, 0]]


def test_a_folder_of_frames_may_end_in_a_slash(path):
    path.write_text('a/ 9 1\n')
    assert read(path, FRAMES) == [('frames/a/', 1)]


def test_a_test_list_may_have_no_labels_at_all(path):
    path.write_text('a.mp4\nb.mp4\n')
    assert read(path, test_mode=True) == [('videos/a.mp4', -1), ('videos/b.mp4', -1)]


# --- Lines that are not -------------------------------------------------------------------------

BAD = {
    'blank line': (VIDEO_FILES, 'a.mp4 0\n\nb.mp4 1\n', 2, "name a video, got ''; remove it"),
    'blank end': (VIDEO_FILES, 'a.mp4 0\n  \n', 2, 'name a video'),
    'blank line of folders': (FRAMES, 'a 9 0\n\n', 2, 'name a video'),
    'no name': (dict(VIDEO_FILES, delimiter=','), ',3', 1, 'name a video'),
    'a folder for a video': (VIDEO_FILES, 'b.mp4 1\na/ 3', 2, "name a video, got 'a/ 3'; name it"),
    'the root for a folder': (FRAMES, '/ 9 1', 1, 'name a folder'),
    'byte order mark': (VIDEO_FILES, '\ufeffa.mp4 0', 1, 'not begin with a byte order mark'),
    'no label': (VIDEO_FILES, 'a.mp4 0\nb.mp4\n', 2, "be 'VIDEO LABEL', got 'b.mp4'; add"),
    'no label of folders': (FRAMES, 'a 9 0\nb 9', 2, "be 'FOLDER FRAMES LABEL', got 'b 9'"),
    'no frames': (FRAMES, 'a', 1, "be 'FOLDER FRAMES LABEL', got 'a'"),
    'zero frames': (FRAMES, 'a 0 1', 1, 'with at least one frame'),
    'space in a name': (VIDEO_FILES, 'a b.mp4 3', 1, "a ' ' in a name needs another delimiter"),
    'two spaces': (VIDEO_FILES, 'a.mp4  3', 1, "be 'VIDEO LABEL', got 'a.mp4  3'"),
    'space in a folder': (FRAMES, 'a b 9 3', 1, 'no name may have white space'),
    'trailing delimiter': (dict(VIDEO_FILES, delimiter=','), 'a.mp4,3,', 1, "be 'VIDEO,LABEL'"),
    'a word': (VIDEO_FILES, 'a.mp4 walk', 1, 'integers of 0 or more after the name'),
    'a ratio': (VIDEO_FILES, 'a.mp4 1.0', 1, 'integers of 0 or more'),
    'negative': (VIDEO_FILES, 'a.mp4 -1', 1, 'integers of 0 or more'),
    'ignored by PyTorch': (VIDEO_FILES, 'a.mp4 -100', 1, 'integers of 0 or more'),
    'underscore': (VIDEO_FILES, 'a.mp4 1_0', 1, 'integers of 0 or more'),
    'endless': (VIDEO_FILES, 'a.mp4 ' + '9' * 5000, 1, 'integers of 0 or more'),
    'negative frames': (FRAMES, 'a -9 3', 1, 'integers of 0 or more'),
    'beyond': (dict(VIDEO_FILES, num_classes=3), 'a.mp4 2\nb.mp4 3', 2, 'labels below 3'),
    'beyond the names': (
        dict(VIDEO_FILES, metainfo=dict(classes=['x', 'y'])), 'a 1\nb 2', 2, 'labels below 2',
    ),
    'one of several beyond': (
        dict(VIDEO_FILES, multi_class=True, num_classes=3), 'a.mp4 0 3', 1, 'labels below 3',
    ),
    'labels in a part of a test list': (
        dict(VIDEO_FILES, test_mode=True), 'a.mp4\nb.mp4 0', 1, "be 'VIDEO LABEL'",
    ),
}  # fmt: skip


@pytest.mark.parametrize('what', BAD)
def test_a_bad_line_is_told_by_file_and_number(path, what):
    cfg, text, number, must = BAD[what]
    path.write_text(text)
    told = f'^Annotations: line {number} of {re.escape(str(path))} must .*{re.escape(must)}'
    with pytest.raises(ValueError, match=told):
        read(path, cfg)


def test_a_file_that_is_no_text_is_told(path):
    path.write_bytes(b'a.mp4 0\n\xff\xfe 1\n')
    with pytest.raises(ValueError, match=f'^Annotations: {path} must be text in UTF-8'):
        read(path)


def misread(path, content, cfg, changes):
    """Whether the file is refused by name; else every label is the number at its line's end."""
    path.write_bytes(content)
    try:
        found = read(path, cfg, **changes)
    except ValueError as error:
        assert str(error).startswith('Annotations: ') and str(path) in str(error)
        return
    lines = path.read_text(encoding='utf-8').rstrip('\n').split('\n')
    for (name, label), line in zip(found, lines, strict=True):
        end = re.split(cfg.get('delimiter', r'\s'), line.strip())[-1]
        assert label == int(end) if label >= 0 else changes == dict(test_mode=True)
        assert name.rstrip('/') not in ('', *cfg['data_prefix'].values())
        assert not name.endswith('/') or cfg is FRAMES


LINES = st.lists(
    st.one_of(
        st.sampled_from(['a.mp4 0', 'a b 1', 'a 3 1', '/a/ä.mp4 2', '', ' ', 'a', 'a -1', 'a,1,']),
        TEXT,
    ),
    max_size=4,
).map(lambda lines: '\n'.join(lines).encode())
KINDS = st.sampled_from([VIDEO_FILES, dict(VIDEO_FILES, delimiter=','), FRAMES])
CHANGES = st.sampled_from([{}, dict(test_mode=True)])


@QUICK
@given(content=st.one_of(LINES, st.binary(max_size=60)), cfg=KINDS, changes=CHANGES)
@example(content=b'', cfg=VIDEO_FILES, changes={})
def test_any_file_is_read_right_or_refused_by_name(path, content, cfg, changes):
    misread(path, content, cfg, changes)


@pytest.mark.slow
@MANY
@given(content=st.one_of(LINES, st.binary(max_size=60)), cfg=KINDS, changes=CHANGES)
def test_any_of_many_files_is_read_right_or_refused_by_name(path, content, cfg, changes):
    misread(path, content, cfg, changes)


# --- Of a config --------------------------------------------------------------------------------


def config(path, wrapper=None, model=None, **dataset):
    inner = dict(VIDEO_FILES, ann_file=str(path), **dataset)
    outer = dict(type=wrapper, dataset=inner) if wrapper else inner
    head = dict(cls_head=dict(num_classes=2))
    return Config(dict(train_dataloader=dict(dataset=outer), model=model or head)).to_dict()


MODELS = {
    'recognizer': dict(cls_head=dict(num_classes=2)),
    'student': dict(student=dict(cls_head=dict(num_classes=2))),
    'pathways': dict(local_pathway=dict(cls_head=dict(num_classes=2)), global_pathway='a.py'),
}


@pytest.mark.parametrize('model', MODELS.values(), ids=MODELS)
@pytest.mark.parametrize('wrapper', [None, 'RepeatDataset', 'mmaction_kd.SkipBadVideos'])
def test_labels_of_a_config_are_below_the_classes_of_its_head(path, wrapper, model):
    path.write_text('a.mp4 0\nb.mp4 1\n')
    check_config_annotations(config(path, wrapper, model), LOADER)
    path.write_text('a.mp4 0\nb.mp4 2\n')
    with pytest.raises(ValueError, match=r'line 2 of .* must have labels below 2, the number of'):
        check_config_annotations(config(path, wrapper, model), LOADER)


def test_labels_of_a_subset_are_not_those_of_its_teachers_head(path):
    path.write_text('a.mp4 0\nb.mp4 2\n')
    check_config_annotations(config(path, 'mmaction_kd.OpticalFlowSubset'), LOADER)
    path.write_text('a.mp4 0\n\n')
    with pytest.raises(ValueError, match=r'line 2 of .* must name a video'):
        check_config_annotations(config(path, 'mmaction_kd.OpticalFlowSubset'), LOADER)


def test_other_data_sets_and_no_data_set_are_left_alone(path):
    path.write_text('no annotation of videos\n')
    check_config_annotations({}, LOADER)
    check_config_annotations(dict(train_dataloader=None), LOADER)
    check_config_annotations(
        dict(train_dataloader=dict(dataset=dict(type='NoSuchDataset'))), LOADER
    )
    other = dict(type='AudioDataset', ann_file=str(path), pipeline=[])
    check_config_annotations(dict(train_dataloader=dict(dataset=other)), LOADER)


def test_the_data_root_is_the_hosts(tmp_path):
    (tmp_path / 'ann').mkdir()
    (tmp_path / 'ann/a.txt').write_text('a.mp4 x')
    with pytest.raises(ValueError, match=f'line 1 of {tmp_path}/ann/a.txt'):
        check_config_annotations(config('ann/a.txt', data_root=str(tmp_path)), LOADER)


def test_only_what_a_run_uses_must_be_there(path):
    path.write_text('a.mp4 0\nb.mp4 1\n')
    cfg = config(path) | dict(test_dataloader=dict(dataset=dict(VIDEO_FILES, ann_file='none.txt')))
    check_config_annotations(cfg, LOADER, 'val_dataloader')
    with pytest.raises(FileNotFoundError, match=r'none\.txt'):
        check_config_annotations(cfg, 'test_dataloader')


def test_several_labels_need_the_number_of_classes(path):
    path.write_text('a.mp4 1 3\n')
    with pytest.raises(ValueError, match=f'multi_class must have num_classes, got None for {path}'):
        read(path, multi_class=True)


def test_a_refusal_costs_no_more_than_a_reading(path):
    """Ten thousand lines, the last one bad: found, whatever stands before."""
    lines = [f'{i}.mp4 {i % 7}' for i in np.arange(10_000)]
    path.write_text('\n'.join([*lines, 'x']))
    with pytest.raises(ValueError, match='line 10001'):
        read(path)
