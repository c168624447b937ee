import copy
import random
from collections import Counter

import mmaction.datasets.transforms as stock
import mmcv
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS, init_default_scope

from mmaction_kd.datasets import PathwayPipelines
from mmaction_kd.datasets.transforms import shared_frames
from mmaction_kd.datasets.transforms.shared_frames import SharedFrameSteps

TEN_CLIPS = dict(clip_len=16, frame_interval=2, num_clips=10, test_mode=True)


@pytest.fixture(autouse=True)
def mmaction_scope():
    init_default_scope('mmaction')


@TRANSFORMS.register_module()
class CountInPlaceForTest(BaseTransform):
    """Write a number into every frame, as a step that draws for each frame would."""

    def transform(self, results):
        for number, img in enumerate(results['imgs']):
            img[:2, :2] = number % 256
        return results


class TurnedResize(stock.Resize):
    """A subclass may do otherwise."""


def resize(side):
    return dict(type='Resize', scale=(-1, side))


SPATIAL = {
    'crops of resized frames': [
        resize(32),
        dict(type='mmaction_kd.UniformThreeCrop', crop_size=28),
    ],
    'three crops': [resize(32), dict(type='ThreeCrop', crop_size=32)],
    'three crops, flipped': [
        resize(32),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='Flip', flip_ratio=1.0),
    ],
    'ten crops': [resize(32), dict(type='TenCrop', crop_size=28)],
    'random': [
        dict(type='RandomRescale', scale_range=(40, 60)),
        dict(type='RandomCrop', size=36),
        dict(type='MultiScaleCrop', input_size=32, scales=(1, 0.8), random_crop=True),
        dict(type='RandomResizedCrop'),
        dict(type='Resize', scale=(24, 24), keep_ratio=False),
        dict(type='ColorJitter'),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='CenterCrop', crop_size=20),
    ],
    'lazy': [
        dict(type='Resize', scale=(-1, 40), lazy=True),
        dict(type='CenterCrop', crop_size=36, lazy=True),
        dict(type='Flip', flip_ratio=1.0, lazy=True),
        dict(type='Fuse'),
    ],
    'written into as decoded': [dict(type='Flip', flip_ratio=1.0)],
    'written into': [resize(32), dict(type='CountInPlaceForTest')],
    'crops written into': [
        resize(32),
        dict(type='ThreeCrop', crop_size=32),
        dict(type='CountInPlaceForTest'),
    ],
    'erased in place': [dict(type='RandomErasing', erase_prob=1.0, mode='rand')],
}


def steps(spatial, decode=('DecordInit', 'DecordDecode'), **sampling):
    init, decode = ([dict(type=kind)] if kind else [] for kind in decode)
    return [
        *init,
        dict(type='SampleFrames', **{**TEN_CLIPS, **sampling}),
        *decode,
        *copy.deepcopy(spatial),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('crop_bbox', 'img_shape', 'flip', 'frame_inds')),
    ]


def run(pipeline, video, seed=0):
    random.seed(seed)
    np.random.seed(seed)
    return pipeline(dict(video))


@pytest.mark.parametrize('spatial', SPATIAL.values(), ids=list(SPATIAL))
@pytest.mark.parametrize('length', ['long', 'short'])
def test_clips_with_frames_in_common_are_those_of_the_stock_pipeline(tiny_videos, spatial, length):
    video = dict(filename=str(tiny_videos[length]), start_index=0, modality='RGB')
    np.random.seed(1)  # ColorJitter draws its order when it is built
    alone = Compose(steps(spatial))
    np.random.seed(1)
    ours = run(PathwayPipelines(dict(only=steps(spatial))), video)
    expected = run(alone, video)
    assert torch.equal(ours['inputs']['only'], expected['inputs'])
    got = ours['data_samples'].pathways['only']
    assert got.keys() == expected['data_samples'].metainfo.keys()
    for key, value in expected['data_samples'].metainfo.items():
        np.testing.assert_array_equal(got[key], value)


@pytest.mark.parametrize('first', ['written into as decoded', 'three crops', 'erased in place'])
def test_no_pathway_sees_what_another_wrote(tiny_video, first):
    """Nor does the caller, whose array it is."""
    spatial = dict(a=SPATIAL[first], b=[], c=SPATIAL['written into as decoded'])
    pathways = {name: steps(spatial[name]) for name in spatial}
    array = np.random.default_rng(0).integers(0, 256, (60, 24, 24, 3), dtype=np.uint8)
    before = array.copy()
    video = dict(array=array, total_frames=60, start_index=0, modality='RGB')
    if first == 'three crops':
        pathways['a'][-4:-2] = [resize(24), dict(type='ThreeCrop', crop_size=24)]
    inputs = run(PathwayPipelines(pathways), video)['inputs']
    np.testing.assert_array_equal(array, before)
    for name in 'bc':
        alone = run(PathwayPipelines({name: pathways[name]}), video)['inputs']
        assert torch.equal(inputs[name], alone[name])


@pytest.mark.parametrize('length', ['long', 'short'])
def test_each_distinct_frame_is_resized_once(tiny_videos, length, monkeypatch):
    sizes = []
    imresize = mmcv.imresize

    def counted(img, size, **kwargs):
        sizes.append(size)
        return imresize(img, size, **kwargs)

    monkeypatch.setattr(mmcv, 'imresize', counted)
    crop = dict(type='mmaction_kd.UniformThreeCrop', crop_size=24)
    pathways = dict(near=steps([resize(32), crop], frame_interval=1), far=steps([resize(48), crop]))
    sample = PathwayPipelines(pathways)(dict(filename=str(tiny_videos[length])))['data_samples']
    distinct = {name: len(set(sample.pathways[name]['frame_inds'])) for name in pathways}
    assert Counter(min(size) for size in sizes) == {32: distinct['near'], 48: distinct['far']}
    assert distinct['far'] < 160


def test_nothing_is_copied_where_each_step_makes_new_frames():
    imgs = [np.full((8, 8, 3), value, np.uint8) for value in range(3)]
    seen = []

    class Record(BaseTransform):
        def transform(self, results):
            seen.extend(results['imgs'])
            return results

    finish = SharedFrameSteps([dict(type='CenterCrop', crop_size=4)])
    finish._frame_wise.transforms.append(Record())
    finish._stacks = True
    uses = np.array([0, 1, 1, 2])
    clips = finish(dict(modality='RGB', img_shape=(8, 8)), imgs, uses)['imgs']
    assert len(seen) == 3 and all(np.shares_memory(a, b) for a, b in zip(seen, imgs, strict=True))
    assert all(np.shares_memory(clip, imgs[use]) for clip, use in zip(clips, uses, strict=True))


@pytest.mark.parametrize(
    'spatial, writes',
    [
        ([resize(8)], False),
        ([dict(type='CenterCrop', crop_size=4)], False),  # FormatShape follows
        ([dict(type='Resize', scale=(-1, 8), lazy=True), dict(type='Flip')], True),
        ([dict(type='Flip', lazy=True), dict(type='Fuse')], False),
        ([dict(type='CenterCrop', crop_size=4), dict(type='Flip')], True),
        ([dict(type='Imgaug', transforms='default')], True),
    ],
)
def test_knows_which_steps_write_into_decoded_frames(spatial, writes):
    if spatial[0]['type'] == 'Imgaug':
        spatial = [dict(type='CountInPlaceForTest')]
    assert SharedFrameSteps(steps(spatial)[3:]).writes == writes


def test_a_subclass_is_not_taken_for_frame_wise():
    assert TurnedResize not in shared_frames.FRAME_WISE
    finish = SharedFrameSteps([dict(type=TurnedResize, scale=(-1, 8)), resize(8)])
    assert finish._frame_wise.transforms == []


def test_flow_is_not_shared():
    """Flip inverts every other map, so it matters where in the list a map stands."""
    maps = [np.full((4, 4), value, np.uint8) for value in (10, 20)]
    finish = SharedFrameSteps([dict(type='Flip', flip_ratio=1.0)])
    results = finish(dict(modality='Flow', img_shape=(4, 4)), maps, np.array([0, 0, 1, 1]))
    assert [int(img[0, 0]) for img in results['imgs']] == [245, 10, 235, 20]
