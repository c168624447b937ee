"""Frames that decord shrinks as it decodes, against those that OpenCV shrinks afterwards."""

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import DecordDecode, DecordInit

from mmaction_kd.datasets.transforms import PathwayPipelines, ResizingDecordInit

SIZE = (192, 128)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    """20 frames of a soft pattern that moves, 192 x 128."""
    path = tmp_path_factory.mktemp('soft') / 'soft.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, SIZE)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    for t in range(20):
        waves = [127 + 100 * np.sin((x + 3 * t) / 17 + c) * np.cos(y / 23) for c in range(3)]
        writer.write(np.stack(waves, 2).astype(np.uint8))
    writer.release()
    return str(path)


def frames(init, video, inds=(0, 7, 19)):
    opened = init(dict(filename=video))
    return opened['total_frames'], DecordDecode()({**opened, 'frame_inds': np.array(inds)})['imgs']


@pytest.mark.parametrize('short_side, size', [(64, (96, 64)), (50, (75, 50)), (33, (50, 33))])
def test_a_large_frame_is_shrunk(video, short_side, size):
    total, full = frames(DecordInit(), video)
    same_total, shrunk = frames(ResizingDecordInit(short_side), video)
    assert same_total == total == 20
    for small, large in zip(shrunk, full, strict=True):
        assert small.shape == (size[1], size[0], 3)
        expected = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).mean() < 4
        assert np.abs(small.astype(int) - expected[::-1]).mean() > 10  # what differs, differs


@pytest.mark.parametrize('short_side', [128, 200])
def test_a_frame_that_is_no_larger_is_read_as_it_is(video, short_side):
    _, full = frames(DecordInit(), video)
    _, same = frames(ResizingDecordInit(short_side), video)
    assert np.array_equal(same, full)


def test_pathways_are_given_shrunk_frames_also_where_the_video_was_open(video):
    def pathway(clip_len):
        return [
            dict(type='mmaction.SampleFrames', clip_len=clip_len, test_mode=True),
            dict(type='mmaction.DecordDecode'),
            dict(type='mmaction.FormatShape', input_format='NCTHW'),
            dict(type='mmaction.PackActionInputs'),
        ]

    pathways = dict(near=pathway(4), far=pathway(2))
    opened = DecordInit()(dict(filename=video, start_index=0, modality='RGB'))
    for given in (dict(filename=video), opened):
        clips = PathwayPipelines(pathways, decode_short_side=64)(given)['inputs']
        assert {name: clip.shape for name, clip in clips.items()} == dict(
            near=(1, 3, 4, 64, 96), far=(1, 3, 2, 64, 96)
        )
    assert PathwayPipelines(pathways)(dict(filename=video))['inputs']['far'].shape[3] == 128


def test_what_can_not_be_is_refused():
    with pytest.raises(ValueError, match='short_side must be at least 1, got 0'):
        ResizingDecordInit(0)
    steps = [dict(type='SampleFrames'), dict(type='DecordDecode'), dict(type='PackActionInputs')]
    with pytest.raises(ValueError, match=r"decode_short_side needs backend='decord', .* 'opencv'"):
        PathwayPipelines(dict(a=steps), backend='opencv', decode_short_side=64)
