"""A store is trained from only where it is complete, undamaged and of what is given now."""

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
from mmaction_kd.stored_teachers.teacher_store import StoredView, TeacherStore

WIDTHS = dict(dynamic=4, static=2)


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
    assert {name: len(z) for name, z in read[0].logits.items()} == WIDTHS


def test_files_are_numpys_own_without_pickle(store):
    for path, videos in (('shard-0000.npy', 2), ('shard-0001.npy', 1)):
        rows = np.load(store / path, allow_pickle=False)
        assert not rows.dtype.hasobject and len(rows) == videos * VIEWS
    assert len(list(store.iterdir())) == 2 + 1


def test_logits_come_back_with_an_error_of_their_gap_over_2048(store):
    opened = TeacherStore(store, dataclasses.replace(load_header(store), checksums=()))
    rng = np.random.default_rng(0)
    views = {}
    for clip, view in enumerate(opened.views(1)[:3]):
        logits = {n: rng.normal(3, 6, d).astype(np.float32) for n, d in WIDTHS.items()}
        logits['dynamic'][0] = -1e9  # far below stays finite
        views[view] = StoredView(logits, clip)
    opened.write(1, views)
    for view, given in views.items():
        found = opened.read(*view)
        assert found.clip == given.clip
        for name, z in given.logits.items():
            back, known = found.logits[name], z > -1e5
            assert back.dtype == np.float32 and back.max() == z.max() and np.isfinite(back).all()
            limit = (z.max() - z) / 2048 + 1e-6
            assert (np.abs(back - z) <= limit)[known].all() and (back[~known] < -6e4).all()
    assert opened.read(2, 3) is None  # it could not be made
    assert not opened.is_done(1) and opened.is_done(0)


def test_a_store_in_another_process_opens_its_files_itself(store):
    opened = TeacherStore.complete(store)
    pickled = pickle.dumps(opened)
    assert len(pickled) < len(pickle.dumps((opened.header, opened.dtype))) + 300
    again = pickle.loads(pickled)
    assert again.read(2, 1).clip == opened.read(2, 1).clip


@pytest.mark.parametrize('back', [1, 6, 19, 60])
def test_a_flipped_bit_is_refused_by_its_shard(store, back):
    path = store / 'shard-0001.npy'
    content = bytearray(path.read_bytes())
    content[-back] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'shard-0001.npy must be as .* another checksum than'):
        TeacherStore.complete(store)


def test_a_shard_of_another_store_is_refused(store):
    opened = TeacherStore(store, load_header(store))
    opened.write(1, {view: opened.read(*view)._replace(clip=1) for view in opened.views(1)})
    with pytest.raises(ValueError, match=r'another checksum than store\.json has; it is dam'):
        TeacherStore.complete(store)


@pytest.mark.parametrize('left', [-3, 40, 0])
def test_a_truncated_file_is_refused(store, left):
    path = store / 'shard-0001.npy'
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=r'shard-0001.npy must be as .* wrote it, got: .*damaged'):
        TeacherStore.complete(store)


def test_a_missing_shard_is_refused(store):
    (store / 'shard-0001.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r'shard-0001.npy must be there, got none; copy'):
        TeacherStore.complete(store)


def test_a_shard_of_another_size_is_refused(store):
    shutil.copy(store / 'shard-0000.npy', store / 'shard-0001.npy')
    with pytest.raises(ValueError, match=r'shard-0001.npy must have 4 rows of .* another store'):
        TeacherStore.complete(store)


def test_no_store_and_one_of_another_format_are_refused(store):
    with pytest.raises(FileNotFoundError, match=r'no .*store.json; make the store with `tools/sto'):
        TeacherStore.complete(store / 'nowhere')
    text = (store / 'store.json').read_text()
    for other in (1, 99):
        (store / 'store.json').write_text(text.replace('"format": 2', f'"format": {other}'))
        with pytest.raises(ValueError, match=f'be of format 2, got {other}; remove the folder'):
            load_header(store)
    (store / 'store.json').write_text(text[:50])
    with pytest.raises(ValueError, match='must be JSON'):
        load_header(store)


def test_an_incomplete_store_is_not_trained_from(store):
    dataclasses.replace(load_header(store), checksums=()).save(store)
    (store / 'shard-0001.npy').unlink()
    with pytest.raises(ValueError, match='got 1 of 2 shards missing; the command that began it'):
        TeacherStore.complete(store)


OTHERS = {
    'num_classes': (7, 'the number of classes'),
    'views': (5, 'the number of views'),
    'seed': (3, 'the seed'),
    'pipeline': ([dict(type='Flip')], 'the pipeline'),
    'annotation': ('0', 'the annotation'),
    'videos': (2, 'the annotation'),
}


@pytest.mark.parametrize('key', OTHERS)
def test_a_store_is_resumed_with_the_settings_that_it_was_begun_with(store, key):
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
    assert TeacherStore.begin(store, other).header == begun


def test_without_room_a_shard_is_not_there_and_the_error_names_it(store, tmp_path):
    header = dataclasses.replace(load_header(store), checksums=())
    given = TeacherStore(store, header)
    begun = TeacherStore.begin(tmp_path / 'new', header)
    content = {view: given.read(*view) for view in given.views(1)}
    size = (store / 'shard-0001.npy').stat().st_size
    with files_up_to(size - 3), pytest.raises(OSError, match=r'room for .*/shard-0001\.npy, and'):
        begun.write(1, content)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['store.json']
    begun.write(1, content)
    assert begun.is_done(1) and not begun.is_done(0)
    assert (tmp_path / 'new/shard-0001.npy').read_bytes() == (
        (store / 'shard-0001.npy').read_bytes()
    )
