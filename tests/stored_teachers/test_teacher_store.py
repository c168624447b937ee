"""A store is believed only where it is whole, undamaged and of what is given now."""

import dataclasses
import pickle
import shutil

import numpy as np
import pytest
import tiny_store
from full_disk import files_up_to
from mmengine.registry import DefaultScope
from tiny_store import LABELS, VIEWS

from mmaction_kd.stored_teachers.store_header import load_header
from mmaction_kd.stored_teachers.teacher_store import TeacherStore


@pytest.fixture(scope='module')
def recorded(tiny_videos, tmp_path_factory):
    """A folder with the videos, the checkpoints and a store."""
    folder = tmp_path_factory.mktemp('recorded')
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = tiny_store.dataset_config(tiny_videos, folder)
        model = tiny_store.model_config(tiny_store.teacher_checkpoints(folder))
        tiny_store.record(model, data, folder / 'store')
    return folder


@pytest.fixture
def store(recorded, tmp_path):
    """A copy of the store."""
    shutil.copytree(recorded / 'store', tmp_path / 'store')
    return tmp_path / 'store'


def views():
    return [(video, view) for video in range(len(LABELS)) for view in range(VIEWS)]


def test_every_view_is_there_once_and_is_another(store):
    read = [TeacherStore.complete(store).read(*view) for view in views()]
    assert len({stored.clip for stored in read}) == len(read)
    assert len({tuple(stored.logits['static']) for stored in read}) == len(read)
    assert {name: len(z) for name, z in read[0].logits.items()} == dict(dynamic=4, static=2)


def test_files_are_numpys_own_without_pickle(store):
    for path in sorted(store.glob('*.npy')):
        rows = np.load(path, allow_pickle=False)
        assert not rows.dtype.hasobject and len(rows) == (8 if '0000' in path.name else 4)
    assert len(list(store.iterdir())) == 2 * 2 + 1


def test_a_store_in_another_process_opens_its_files_itself(store):
    opened = TeacherStore.complete(store)
    pickled = pickle.dumps(opened)
    assert len(pickled) < len(pickle.dumps(opened.header)) + 500
    again = pickle.loads(pickled)
    assert again.read(2, 1).clip == opened.read(2, 1).clip


@pytest.mark.parametrize('back', [1, 6, 10, 14, 19])
def test_a_flipped_bit_in_a_row_is_refused_by_its_place(store, back):
    """In the check, the clip, the largest logit, the others."""
    path = store / 'dynamic-0001.npy'
    content = bytearray(path.read_bytes())
    content[-back] ^= 4
    path.write_bytes(content)
    opened = TeacherStore.complete(store)
    opened.read(2, 2)
    with pytest.raises(ValueError, match=r"of video 2, view 3, teacher 'dynamic' in .*right check"):
        opened.read(2, 3)


def test_rows_in_another_place_are_refused(store):
    content = (store / 'static-0000.npy').read_bytes()
    row = np.load(store / 'static-0000.npy').dtype.itemsize
    moved = content[: -2 * row] + content[-row:] + content[-2 * row : -row]
    (store / 'static-0000.npy').write_bytes(moved)
    with pytest.raises(ValueError, match='must have the right check'):
        TeacherStore.complete(store).read(1, 3)


def test_a_row_of_another_store_is_refused(store):
    header = load_header(store)
    other = dataclasses.replace(header, seed=1)
    other.save(store)
    with pytest.raises(ValueError, match='must have the right check'):
        TeacherStore.complete(store).read(0, 0)


@pytest.mark.parametrize('left', [-3, 40, 0])
def test_a_truncated_file_is_refused(store, left):
    path = store / 'static-0001.npy'
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=r'static-0001.npy must be a whole .npy file, got: .*dama'):
        TeacherStore.complete(store)


def test_a_missing_shard_is_refused(store):
    (store / 'static-0001.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r"0001.npy must be there, shard 1 of teacher 'sta"):
        TeacherStore.complete(store)


def test_a_file_of_another_width_is_refused(store):
    shutil.copy(store / 'dynamic-0001.npy', store / 'static-0001.npy')
    with pytest.raises(ValueError, match=r'static-0001.npy must have 4 rows of .* another store'):
        TeacherStore.complete(store)


def test_no_store_and_one_of_another_format_are_refused(store):
    with pytest.raises(FileNotFoundError, match=r'no .*store.json; make the store with `tools/sto'):
        TeacherStore.complete(store / 'nowhere')
    text = (store / 'store.json').read_text()
    (store / 'store.json').write_text(text.replace('"format": 1', '"format": 99'))
    with pytest.raises(ValueError, match='must be of format 1, got another'):
        load_header(store)
    (store / 'store.json').write_text(text[:50])
    with pytest.raises(ValueError, match='must be JSON'):
        load_header(store)


def test_an_incomplete_store_is_not_trained_from(store):
    header = dataclasses.replace(load_header(store), complete=False)
    header.save(store)
    rows = np.load(store / 'static-0000.npy', mmap_mode='r+')
    rows[3:5] = np.zeros(2, rows.dtype)
    rows.flush()
    with pytest.raises(ValueError, match='got 2 of 12 views missing; the command that began it'):
        TeacherStore.complete(store)
    (store / 'static-0001.npy').unlink()
    with pytest.raises(ValueError, match='got 12 of 12 views missing'):
        TeacherStore.complete(store)


OTHERS = {
    'num_classes': (7, 'the number of classes'),
    'views': (5, 'the number of views'),
    'seed': (3, 'the seed'),
    'top_k': (1, 'top-k'),
    'pipeline': ([dict(type='Flip')], 'the pipeline'),
    'annotation': ('0', 'the annotation'),
    'videos': (2, 'the annotation'),
}


@pytest.mark.parametrize('key', OTHERS)
def test_a_store_is_gone_on_with_as_it_was_begun(store, key):
    value, named = OTHERS[key]
    other = dataclasses.replace(load_header(store), **{key: value})
    with pytest.raises(ValueError, match=f'got another state of {named};'):
        TeacherStore.begin(store, other)


@pytest.mark.parametrize('key', ['weights', 'config', 'classes'])
def test_another_teacher_is_refused_by_name(store, key):
    header = load_header(store)
    changed = dataclasses.replace(header.teachers['static'], **{key: (1, 3)})
    other = dataclasses.replace(header, teachers={**header.teachers, 'static': changed})
    with pytest.raises(ValueError, match=f"another state of the {key} of teacher 'static';"):
        TeacherStore.begin(store, other)
    fewer = dataclasses.replace(header, teachers=dict(static=header.teachers['static']))
    with pytest.raises(ValueError, match='state of the names of the teachers'):
        TeacherStore.begin(store, fewer)


def test_shards_batches_and_versions_are_those_that_it_was_begun_with(store):
    begun = load_header(store)
    other = dataclasses.replace(begun, shards=(0, 3), batch_size=1, versions={})
    assert TeacherStore.begin(store, other) == begun


def test_without_room_nothing_is_begun_and_the_error_names_the_file(store, tmp_path):
    """Room for all rows is taken before the first is computed."""
    header = dataclasses.replace(load_header(store), views=1000, complete=False)
    with files_up_to(20_000), pytest.raises(OSError, match=r'room for .*-0000\.npy, and the right'):
        TeacherStore.begin(tmp_path / 'new', header)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['store.json']
    assert TeacherStore.begin(tmp_path / 'new', header) == header
    for path in (tmp_path / 'new').glob('*.npy'):
        assert path.stat().st_blocks * 512 >= path.stat().st_size > 10_000  # no holes
        assert not np.load(path)['check'].any()


def test_a_row_for_which_there_is_no_room_is_an_error_and_the_others_stay(store):
    """An old store may have holes, and a map that is written to where there is no room kills."""
    header, name = load_header(store), 'dynamic'
    opened, before = TeacherStore(store, header), [TeacherStore(store, header).read(0, 0)]
    row = opened._valid_row(name, 0, 1).copy()
    size = opened._row(name, 0, 1)[0].offset + row.dtype.itemsize
    with files_up_to(size + 3), pytest.raises(OSError, match=r'room for .*/dynamic-0000\.npy, and'):
        opened._put(name, [(0, 1)], np.array([row]))
    again = TeacherStore(store, header)
    assert again.read(0, 0).clip == before[0].clip
    again._put(name, [(0, 1)], np.array([row]))
    assert again.is_written(0, 1)
