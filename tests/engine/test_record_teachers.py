"""A store holds what live teachers say, and ends with the same bytes however it was made."""

import shutil

import numpy as np
import pytest
import tiny_dtkd
import tiny_store
import torch
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope
from tiny_dtkd import SUBSETS
from tiny_store import LABELS, VIEWS

from mmaction_kd.engine import record_teachers as recording
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.teacher_store import TeacherStore
from mmaction_kd.stored_teachers.view_replay import build_dataset, replay_view, video_key


@pytest.fixture(scope='module', autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def training(tiny_videos, tmp_path_factory):
    """A loaded distiller, the data set with its config, and the folder of a store."""
    folder = tmp_path_factory.mktemp('training')
    cfg = tiny_store.dataset_config(tiny_videos, folder)
    model = MODELS.build(tiny_store.model_config(tiny_store.teacher_checkpoints(folder)))
    model.load_teachers()
    dataset = build_dataset(cfg, 'a test')
    header = tiny_store.header_of(model, dataset, cfg)
    assert recording.record_store(model, dataset, folder / 'store', header) == {}
    return model, dataset, header, folder / 'store'


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_logits_are_those_of_the_recognizer_on_the_view(training):
    """Each teacher alone, as MMAction2 runs it, on clips from the replayed pipeline."""
    _, dataset, header, folder = training
    store = TeacherStore.complete(folder)
    for name, classes in SUBSETS.items():
        place = list(SUBSETS).index(name)
        cfg = dict(tiny_dtkd.recognizer(len(classes)), _scope_='mmaction')
        teacher = tiny_dtkd.build(cfg, seed=place).eval()
        for index in range(len(LABELS)):
            sample = replay_view(dataset, index, video_key(dataset, index), 2, header.seed)
            clip = (sample['inputs'][None].float() - 110) / 60
            with torch.no_grad():
                expected = teacher(clip, mode='tensor', stage='head')[0]
            assert store.read(index, 2).logits[name] == pytest.approx(expected.numpy(), abs=1e-2)


def test_missing_and_damaged_shards_are_made_again_and_nothing_else(training, tmp_path):
    model, dataset, header, folder = training
    shutil.copytree(folder, tmp_path / 'store')
    assert TeacherStore.complete(tmp_path / 'store').is_done(1)
    path = tmp_path / 'store/shard-0001.npy'
    for damage in (path.unlink, lambda: path.write_bytes(path.read_bytes()[:-1] + b'?')):
        damage()
        kept = (tmp_path / 'store/shard-0000.npy').stat().st_ino
        recording.record_store(model, dataset, tmp_path / 'store', header)
        assert content(tmp_path / 'store') == content(folder)
        assert (tmp_path / 'store/shard-0000.npy').stat().st_ino == kept


def test_a_shard_is_run_in_the_same_batches_each_time(training):
    store = TeacherStore.complete(training[-1])
    assert recording.shard_batches(store, 1) == [[(2, 0), (2, 1), (2, 2)], [(2, 3)]]


def test_worker_processes_change_no_byte(training, tmp_path):
    model, dataset, header, folder = training
    recording.record_store(model, dataset, tmp_path / 'store', header, num_workers=2)
    assert content(tmp_path / 'store') == content(folder)


def test_another_batch_size_changes_no_more_than_rounding(training, tmp_path):
    model, dataset, header, folder = training
    cfg = tiny_store.header_of(model, dataset, dict(pipeline=header.pipeline), batch_size=5)
    recording.record_store(model, dataset, tmp_path / 'store', cfg)
    ours, theirs = TeacherStore.complete(tmp_path / 'store'), TeacherStore.complete(folder)
    for index in range(len(LABELS)):
        for view in range(VIEWS):
            a, b = ours.read(index, view), theirs.read(index, view)
            assert a.clip == b.clip
            assert all(a.logits[n] == pytest.approx(b.logits[n], abs=2e-2) for n in SUBSETS)


def test_a_check_finds_what_was_changed(training, tmp_path):
    model, dataset, header, folder = training
    views = [(index, view) for index in range(len(LABELS)) for view in range(VIEWS)]
    found = recording.check_views(model, dataset, TeacherStore.complete(folder), views, 0)
    assert found.views == len(views) and found.clips == []
    assert max(found.logits.values()) < 1e-2 and max(found.probs.values()) < 1e-3
    shutil.copytree(folder, tmp_path / 'store')
    store = TeacherStore(tmp_path / 'store', header)
    stored = {view: store.read(*view) for view in views}
    stored[1, 3].logits['static'] += np.float32([0, 3])
    stored[2, 0] = stored[2, 0]._replace(clip=77)
    store.write(0, stored)
    store.write(1, stored)
    found = recording.check_views(model, dataset, store, views, 0)
    assert found.clips == [(2, 0)] and found.logits['static'] == pytest.approx(3, abs=2e-2)
    assert found.probs['static'] > 0.01 and found.logits['dynamic'] < 1e-2


def test_an_unreadable_video_is_named_left_out_and_tried_again(training, tiny_videos, tmp_path):
    model, _, _, folder = training
    cfg = tiny_store.dataset_config(tiny_videos, tmp_path)
    (tmp_path / 'videos/other.mp4').write_bytes(b'no video')
    dataset = build_dataset(cfg, 'a test')
    header = tiny_store.header_of(model, dataset, cfg)
    unusable = recording.record_store(model, dataset, tmp_path / 'store', header)
    assert list(unusable) == ['other.mp4'] and 'no video' not in unusable['other.mp4']
    store = TeacherStore.complete(tmp_path / 'store')
    assert store.read(1, 0) is None and store.read(0, 3) and store.read(2, 0)
    assert list(store.header.unusable) == ['other.mp4']
    views = tiny_store.stored_views(cfg, tmp_path / 'store')
    labels = [views[1]['data_samples'].gt_label.item() for _ in range(20)]
    assert set(labels) == {LABELS['long'], LABELS['short']}
    shutil.copy(tiny_videos['other'], tmp_path / 'videos')
    assert recording.record_store(model, dataset, tmp_path / 'store', header) == {}
    again = content(tmp_path / 'store')
    assert again == content(folder)


def test_what_is_not_finite_is_refused(training, tmp_path):
    model, dataset, header, _ = training
    bias = model.teachers['static'].cls_head.fc_cls.bias
    kept = bias.detach().clone()
    bias.data[0] = float('nan')
    with pytest.raises(ValueError, match="the logits of teacher 'static' must be finite"):
        recording.record_store(model, dataset, tmp_path / 'store', header)
    bias.data.copy_(kept)


@TRANSFORMS.register_module()
class OwnRandomNumbers:
    """A transform that no seed reaches."""

    def __call__(self, results):
        """Add noise."""
        noise = np.random.default_rng().integers(0, 9, results['imgs'][0].shape, dtype=np.uint8)
        return dict(results, imgs=[img // 2 + noise for img in results['imgs']])


def test_a_pipeline_with_random_numbers_of_its_own_is_refused(training, tiny_videos, tmp_path):
    model, *_ = training
    steps = [*tiny_store.PIPELINE[:-2], dict(type='OwnRandomNumbers'), *tiny_store.PACK]
    cfg = tiny_store.dataset_config(tiny_videos, tmp_path, steps)
    dataset = build_dataset(cfg, 'a test')
    header = tiny_store.header_of(model, dataset, cfg)
    with pytest.raises(ValueError, match='each time that it is made, got two'):
        recording.record_store(model, dataset, tmp_path / 'store', header)
