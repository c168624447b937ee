"""A view is made again bit for bit, by its seed alone, and nothing else notices."""

import random

import numpy as np
import pytest
import tiny_store
import torch
from mmaction.datasets import RawframeDataset
from mmengine.registry import DefaultScope

from mmaction_kd.stored_teachers.view_replay import (
    build_dataset,
    clip_checksum,
    random_numbers_of,
    replay_view,
    video_key,
    view_seed,
)


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def drawn():
    return random.random(), np.random.rand(), torch.rand(1).item()


def seed_all():
    random.seed(1), np.random.seed(1), torch.manual_seed(1)


def test_outside_of_a_replay_random_numbers_are_as_without_it():
    seed_all()
    expected = drawn()
    seed_all()
    with random_numbers_of(5):
        inside = drawn()
    assert drawn() == expected != inside
    seed_all()
    with pytest.raises(RuntimeError), random_numbers_of(5):
        drawn()
        raise RuntimeError
    assert drawn() == expected
    with random_numbers_of(5):
        assert drawn() == inside
    with random_numbers_of(5 + 2**32):
        assert not set(drawn()) & set(inside)


def test_the_seed_of_a_view_is_for_ever():
    r"""Made elsewhere: the first 8 bytes of `printf '0\na.mp4\n3' | sha256sum`, little-endian."""
    assert view_seed(0, 'a.mp4', 3) == int.from_bytes(bytes.fromhex(SHA_OF_A_VIEW), 'little')
    others = {view_seed(s, k, v) for s in (0, 1) for k in ('a', 'b') for v in (0, 1)}
    assert len(others) == 8


SHA_OF_A_VIEW = '461854e70bc8d669'


def test_a_view_is_the_same_whatever_was_drawn_and_made_before(tiny_videos, tmp_path):
    """Also by a data set that is built anew; views and videos differ from each other."""
    cfg = tiny_store.dataset_config(tiny_videos, tmp_path)
    found = []
    for order in (range(3), reversed(range(3))):
        drawn()
        dataset = build_dataset(cfg, 'a test')
        sums = {}
        for index in order:
            for view in range(3):
                drawn()
                sample = replay_view(dataset, index, video_key(dataset, index), view, 0)
                sums[index, view] = clip_checksum(sample['inputs'])
        found.append(sums)
    assert found[0] == found[1] and len(set(found[0].values())) == 9


def test_a_wrapper_is_refused():
    inner = dict(type='VideoDataset', ann_file='', pipeline=[], lazy_init=True)
    cfg = dict(type='RepeatDataset', times=2, dataset=inner, lazy_init=True)
    with pytest.raises(TypeError, match='own list of videos, got RepeatDataset; put the wrapper'):
        build_dataset(cfg, 'a test')


def test_a_checksum_is_of_names_types_shapes_and_bytes():
    clip = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4)
    other = clip.clone()
    other[1, 2, 3] ^= 1
    different = [
        clip, other, clip.reshape(3, 2, 4), clip.view(torch.int8), dict(a=clip), dict(b=clip),
        dict(a=clip, b=clip), dict(a=clip, b=other), dict(a=other, b=clip), clip.bfloat16(),
    ]  # fmt: skip
    assert len({clip_checksum(inputs) for inputs in different}) == len(different)
    assert clip_checksum(clip.mT) == clip_checksum(clip.clone().mT) != clip_checksum(clip)
    assert clip_checksum(other.mT) != clip_checksum(clip.mT)
    assert clip_checksum(clip[:, ::2]) == clip_checksum(clip[:, ::2].clone())
    assert clip_checksum(dict(b=other, a=clip)) == clip_checksum(dict(a=clip, b=other))


def test_a_video_has_the_same_name_below_any_folder(tiny_videos, tmp_path):
    names = set()
    for folder in (tmp_path / 'a', tmp_path / 'another/place'):
        dataset = build_dataset(tiny_store.dataset_config(tiny_videos, folder), 'a test')
        names.add(tuple(video_key(dataset, i) for i in range(3)))
    assert names == {('long.mp4', 'other.mp4', 'short.mp4')}


def test_parts_of_a_folder_of_frames_have_names_of_their_own(tmp_path):
    (tmp_path / 'a.txt').write_text('walk/one 0 8 1\nwalk/one 8 9 1')
    dataset = RawframeDataset(
        str(tmp_path / 'a.txt'), [], dict(img=str(tmp_path)), with_offset=True
    )
    assert [video_key(dataset, i) for i in range(2)] == ['walk/one 0 8', 'walk/one 8 9']
