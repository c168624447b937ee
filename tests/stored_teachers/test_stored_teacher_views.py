"""StoredTeacherViews: the clips that the teachers saw, with what they said."""

import json
import random
import shutil
from functools import partial

import numpy as np
import pytest
import tiny_dtkd
import tiny_store
import torch
from mmengine.dataset import pseudo_collate, worker_init_fn
from mmengine.registry import DATASETS, DefaultScope
from tiny_store import VIEWS
from torch.utils.data import DataLoader

from mmaction_kd.stored_teachers.teacher_store import TeacherStore
from mmaction_kd.stored_teachers.view_replay import build_dataset, clip_checksum, replay_view


@pytest.fixture(scope='module', autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture(scope='module')
def recorded(tiny_videos, tmp_path_factory):
    """Config of the data set, and the folder of its store."""
    folder = tmp_path_factory.mktemp('recorded')
    data = tiny_store.dataset_config(tiny_videos, folder)
    model = tiny_store.model_config(tiny_store.teacher_checkpoints(folder))
    tiny_store.record(model, data, folder / 'store')
    return data, folder / 'store'


def drawn_views(samples, store):
    """Of each sample which stored view it is, by its clip."""
    opened = TeacherStore.complete(store)
    known = {opened.read(i, v).clip: (i, v) for i in range(3) for v in range(VIEWS)}
    return [known[clip_checksum(sample['inputs'])] for sample in samples]


def test_each_sample_is_a_stored_view_with_its_logits_and_all_are_drawn(recorded):
    data, store = recorded
    views, opened = tiny_store.stored_views(data, store), TeacherStore.complete(store)
    samples = [views[index] for index in range(3) for _ in range(40)]
    found = drawn_views(samples, store)
    assert {place for place, _ in found} == {0, 1, 2} and len(set(found)) == 3 * VIEWS
    for sample, view in zip(samples, found, strict=True):
        for name, logits in opened.read(*view).logits.items():
            value = sample['data_samples'].get(f'{name}_logits')
            assert value.dtype == torch.float32 and np.array_equal(value.numpy(), logits)
    assert len(views) == 3 and views.get_data_info(2)['label'] == 1
    assert views.metainfo == views.dataset.metainfo


def test_clips_are_bit_equal_in_any_number_of_workers(recorded):
    data, store = recorded
    for workers in (0, 2):
        loader = DataLoader(
            tiny_store.stored_views(data, store), batch_size=2, num_workers=workers,
            collate_fn=pseudo_collate,
            worker_init_fn=partial(worker_init_fn, num_workers=workers, rank=0, seed=5),
        )  # fmt: skip
        clips = [
            dict(inputs=clip) for _ in range(2) for batch in loader for clip in batch['inputs']
        ]
        assert len(drawn_views(clips, store)) == 6  # each one is known


def test_only_the_draw_of_the_view_moves_the_random_numbers(recorded):
    data, store = recorded
    views = tiny_store.stored_views(data, store)
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = random.random(), np.random.randint(VIEWS), np.random.rand(), torch.rand(1).item()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    (view,) = drawn_views([views[1]], store)
    assert view == (1, expected[1])
    assert (random.random(), view[1], np.random.rand(), torch.rand(1).item()) == expected


def test_of_several_pipelines_only_the_students_clip_is_left(tiny_videos, tmp_path):
    data = tiny_store.dataset_config(tiny_videos, tmp_path, tiny_store.own_pipelines())
    model = tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path))
    tiny_store.record(model, data, tmp_path / 'store', views=1)
    views = tiny_store.stored_views(data, tmp_path / 'store')
    whole = replay_view(build_dataset(data, 'a test'), 0, 'long.mp4', 0, 0)['inputs']
    assert torch.equal(views[0]['inputs'], whole['student'])
    assert not torch.equal(whole['student'], whole['static'])


def test_another_video_under_the_same_name_is_refused(recorded, tiny_videos, tmp_path):
    _, store = recorded
    data = tiny_store.dataset_config(tiny_videos, tmp_path)
    shutil.copy(tiny_videos['short'], tmp_path / 'videos/long.mp4')
    views = tiny_store.stored_views(data, store)
    assert views[2]['inputs'].shape == (1, 3, 4, 16, 16)
    words = r'clip of long.mp4, view \d, must be .* got another; the file was changed, .*none\), or'
    with pytest.raises(ValueError, match=words):
        views[0]
    tiny_store.stored_views(data, store, verify=False)[0]


def test_a_pipeline_that_now_gives_nothing_is_refused(recorded):
    data, store = recorded
    views = tiny_store.stored_views(data, store)
    views.dataset.pipeline = lambda results: None
    with pytest.raises(ValueError, match=r'clip of short.mp4, view \d, .* got none: the pipeline'):
        views[2]


def test_another_pipeline_or_annotation_is_refused(recorded, tiny_videos, tmp_path):
    data, store = recorded
    steps = [*data['pipeline'][:-1], dict(type='PackActionInputs', algorithm_keys=())]
    with pytest.raises(ValueError, match='got another state of the pipeline; train with'):
        tiny_store.stored_views(dict(data, pipeline=steps), store)
    other = tiny_store.dataset_config(tiny_videos, tmp_path)
    (tmp_path / 'train.txt').write_text('long.mp4 0\nother.mp4 2')
    with pytest.raises(ValueError, match='another state of the annotation; train with the same'):
        tiny_store.stored_views(other, store)


def test_only_a_config_of_a_data_set_with_its_own_list_can_be_wrapped(recorded):
    data, store = recorded
    with pytest.raises(TypeError, match=r'dataset must be a dict, got <.*VideoDataset'):
        tiny_store.stored_views(DATASETS.build(data), store)
    repeated = dict(type='RepeatDataset', times=2, dataset=data)
    with pytest.raises(TypeError, match='got RepeatDataset; put the wrapper around'):
        tiny_store.stored_views(repeated, store)
    inside = dict(type='mmaction_kd.StoredTeacherViews', dataset=data, store=str(store))
    around = DATASETS.build(dict(repeated, dataset=inside))
    assert len(around) == 6 and drawn_views([around[4]], store)[0][0] == 1


def test_a_video_that_broke_since_gives_way_to_a_stored_view_of_another(tiny_videos, tmp_path):
    """Within SkipBadVideos; the sample that stands for it has its own clip's logits."""
    data = tiny_store.dataset_config(tiny_videos, tmp_path)
    model = tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path))
    tiny_store.record(model, data, tmp_path / 'store')
    broken = tmp_path / 'videos/other.mp4'
    broken.write_bytes(broken.read_bytes()[:100])
    views = tiny_store.stored_views(data, tmp_path / 'store')
    around = DATASETS.build(dict(type='mmaction_kd.SkipBadVideos', dataset=views, max_share=0.5))
    sample = around[1]
    ((place, view),) = drawn_views([sample], tmp_path / 'store')
    ((name, _),) = sample['data_samples'].get('bad_videos')
    assert place != 1 and name == str(broken)
    stored = TeacherStore.complete(tmp_path / 'store').read(place, view)
    for teacher, logits in stored.logits.items():
        assert np.array_equal(sample['data_samples'].get(f'{teacher}_logits').numpy(), logits)


def subset_of(dataset, folder):
    """The static classes of the data set."""
    names = {name: [str(i) for i in classes] for name, classes in tiny_dtkd.SUBSETS.items()}
    classes = [str(i) for i in range(tiny_dtkd.CLASSES)]
    path = folder / 'subsets.json'
    path.write_text(json.dumps(dict(classes=classes, subsets=names)))
    kind = 'mmaction_kd.OpticalFlowSubset'
    return dict(type=kind, subset='static', subsets=str(path), dataset=dataset)


def test_views_of_a_subset(recorded, tmp_path):
    """Those of its videos, each with what was stored of it, and the subset's label."""
    data, store = recorded
    inside = dict(type='mmaction_kd.StoredTeacherViews', dataset=data, store=str(store))
    dataset = DATASETS.build(subset_of(inside, tmp_path))
    opened = TeacherStore.complete(store)
    static = [1, 2]  # their places in the annotation; the labels are 2 and 1, as a subset 1 and 0
    assert len(dataset) == 2
    for _ in range(5):
        samples = [dataset[0], dataset[1]]
        assert [int(x['data_samples'].gt_label) for x in samples] == [1, 0]
        for place, sample in zip(static, samples, strict=True):
            ((row, view),) = drawn_views([sample], store)
            assert row == place
            for name, logits in opened.read(row, view).logits.items():
                assert np.array_equal(sample['data_samples'].get(f'{name}_logits'), logits)


def test_a_store_of_a_subset(recorded, tmp_path):
    """Made and read as of any other data set."""
    data, _ = recorded
    part = subset_of(data, tmp_path)
    model = tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path))
    tiny_store.record(model, part, tmp_path / 'store')
    views = tiny_store.stored_views(part, tmp_path / 'store')
    assert [int(views[i]['data_samples'].gt_label) for i in (0, 1)] == [1, 0]
    with pytest.raises(ValueError, match='another state of the annotation'):
        tiny_store.stored_views(data, tmp_path / 'store')
