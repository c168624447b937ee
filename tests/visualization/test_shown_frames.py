"""The frames in a picture are those that the reader returned, where they are in the video."""

import decord
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmaction_kd.visualization import keep_origin, shown_clip

FORMAT = dict(type='FormatShape', input_format='NCTHW')
PACK = dict(type='PackActionInputs')
CROP = 24


def steps(clip_len, stride, clips, crop='mmaction_kd.UniformThreeCrop'):
    """An ordinary test pipeline without any resizing: its pixels are those of the video."""
    return [
        dict(
            type='SampleFrames',
            clip_len=clip_len,
            frame_interval=stride,
            num_clips=clips,
            test_mode=True,
        ),
        dict(type='DecordDecode'),
        dict(type=crop, crop_size=CROP),
        dict(FORMAT),
        dict(PACK),
    ]


def run(pipeline, video):
    keep_origin(pipeline)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return Compose(pipeline)(dict(filename=str(video), label=0, start_index=0, modality='RGB'))


def crops_of(video, number):
    """The three crops of a frame, by a reader of our own."""
    frame = decord.VideoReader(str(video))[number].asnumpy()  # 48 x 64
    top = (48 - CROP) // 2
    lefts = (0, 64 - CROP, (64 - CROP) // 2)
    return [frame[top : top + CROP, left : left + CROP] for left in lefts]


def test_every_view_of_both_pathways(tiny_video):
    pathways = dict(local_pathway=steps(4, 1, 3), global_pathway=steps(5, 8, 2))
    pipeline = [dict(type='mmaction_kd.PathwayPipelines', pathways=pathways)]
    data = run(pipeline, tiny_video)
    expected = dict(
        local_pathway=[[0, 1, 2, 3], [28, 29, 30, 31], [56, 57, 58, 59]],
        global_pathway=[[0, 8, 16, 24, 32], [27, 35, 43, 51, 59]],
    )
    for name, clips in expected.items():
        inputs = data['inputs'][name]
        metainfo = data['data_samples'].metainfo['pathways'][name]
        assert len(inputs) == 3 * len(clips)
        for view in range(len(inputs)):
            clip = shown_clip(inputs, metainfo, view)
            crop, number = divmod(view, len(clips))
            assert clip.numbers.tolist() == clips[number]
            for frame, index in zip(clip.frames, clip.numbers, strict=True):
                assert np.array_equal(frame, crops_of(tiny_video, index)[crop])
            assert (clip.clips, clip.crops, clip.total_frames) == (len(clips), 3, 60)
            assert clip.seconds == pytest.approx(clip.numbers / 25)


def test_shown_is_the_central_crop_of_the_clip_in_the_middle(tiny_video):
    """The last of three, in UniformThreeCrop as in MMAction2's ThreeCrop."""
    data = run([dict(type='DecordInit'), *steps(4, 1, 3)], tiny_video)
    clip = shown_clip(data['inputs'], data['data_samples'].metainfo)
    assert clip.view == 2 * 3 + 1
    assert np.array_equal(clip.frames[0], crops_of(tiny_video, 28)[2])


def test_frames_of_a_2d_recognizer(tiny_video):
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=1, num_clips=6, test_mode=True),
        dict(type='DecordDecode'),
        dict(type='mmaction_kd.UniformThreeCrop', crop_size=CROP),
        dict(type='FormatShape', input_format='NCHW'),
        dict(PACK),
    ]
    data = run(pipeline, tiny_video)
    clip = shown_clip(data['inputs'], data['data_samples'].metainfo)
    assert clip.numbers.tolist() == [5, 15, 25, 35, 45, 55]
    for frame, index in zip(clip.frames, clip.numbers, strict=True):
        assert np.array_equal(frame, crops_of(tiny_video, index)[2])


def test_a_short_video_starts_over(tiny_videos):
    data = run([dict(type='DecordInit'), *steps(8, 2, 1, 'CenterCrop')], tiny_videos['short'])
    clip = shown_clip(data['inputs'], data['data_samples'].metainfo)
    assert clip.numbers.tolist() == [0, 2, 4, 6, 8, 0, 2, 4]
    for frame, index in zip(clip.frames, clip.numbers, strict=True):
        assert np.array_equal(frame, crops_of(tiny_videos['short'], index)[2])


def test_without_its_origin_a_frame_has_no_number():
    inputs = torch.randint(0, 256, (2, 3, 4, 6, 8), dtype=torch.uint8)
    clip = shown_clip(inputs, {}, 1)
    assert clip.numbers is None
    assert clip.seconds is None
    assert np.array_equal(clip.frames, inputs[1].permute(1, 2, 3, 0).numpy())


def test_what_is_packed_already_stays():
    pipeline = [
        dict(type='RepeatDataset', dataset=dict(pipeline=[dict(PACK, meta_keys=('mine',))]))
    ]
    keep_origin(pipeline)
    keys = pipeline[0]['dataset']['pipeline'][0]['meta_keys']
    assert keys[0] == 'mine'
    assert {'frame_inds', 'filename'} < set(keys)
    keep_origin(pipeline)
    assert pipeline[0]['dataset']['pipeline'][0]['meta_keys'] == keys


@pytest.mark.parametrize(
    ('inputs', 'view', 'words'),
    [
        (torch.rand(2, 3, 4, 6, 8), None, r'RGB frames .* got \(2, 3, 4, 6, 8\), torch.float32'),
        (torch.zeros(2, 17, 4, 6, 8, dtype=torch.uint8), None, r'got \(2, 17, 4, 6, 8\)'),
        (torch.zeros(2, 3, 4, 6, 8, dtype=torch.uint8), 2, r'view must be in \[0, 1\], got 2'),
    ],
)
def test_what_can_not_be_drawn_is_an_error(inputs, view, words):
    with pytest.raises(ValueError, match=words):
        shown_clip(inputs, {}, view)
