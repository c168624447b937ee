"""Truth: what the docstring promises, for every length of video."""

import numpy as np
import pytest
from mmaction.datasets.transforms import SampleFrames
from mmengine.registry import DefaultScope

from mmaction_kd.datasets.transforms import SnapClips
from mmaction_kd.registry import TRANSFORMS


def sampled(total_frames, clip_len=16, stride=8, num_clips=10, start_index=0, **settings):
    sampler = SampleFrames(clip_len, stride, num_clips, test_mode=True, **settings)
    return sampler(dict(total_frames=total_frames, start_index=start_index, avg_fps=25.0))


def snapped(results):
    return SnapClips()(dict(results, frame_inds=results['frame_inds'].copy()))


@pytest.mark.parametrize('stride', [1, 2, 3, 7, 8])
@pytest.mark.parametrize('start_index', [0, 1])
def test_clips_stand_on_one_grid_in_the_video_half_a_stride_away_at_most(stride, start_index):
    clip_len = 4
    for total in range(3 * stride + 1, 12 * stride + 30):
        before = sampled(total, clip_len, stride, start_index=start_index)
        after = snapped(before)
        inds = after['frame_inds']
        assert inds.dtype == before['frame_inds'].dtype and inds.shape == (40,)
        assert 2 * abs(inds - before['frame_inds']).max() <= stride
        assert inds.min() >= start_index and inds.max() < start_index + total
        assert len(set((inds % stride).tolist())) == 1
        assert (np.diff(inds.reshape(10, clip_len)) == stride).all()
        assert (np.diff(inds[::clip_len]) >= 0).all()
        assert {k: v for k, v in after.items() if k != 'frame_inds'} == {
            k: v for k, v in before.items() if k != 'frame_inds'
        }


def test_a_clip_goes_to_the_nearest_start():
    """Of all starts of the grid, looked up one by one."""
    for total in (125, 130, 177, 300):
        before = sampled(total)
        after = snapped(before)['frame_inds'].reshape(-1, 16)[:, 0]
        grid = np.arange(after[0] % 8, total - 120, 8)
        for was, now in zip(before['frame_inds'][::16], after, strict=True):
            assert abs(now - was) == abs(grid - was).min()


def test_the_documented_numbers():
    before = sampled(300)
    after = snapped(before)
    assert len(np.unique(before['frame_inds'])) == 94
    assert len(np.unique(after['frame_inds'])) == 38
    assert after['frame_inds'][::16][:6].tolist() == [1, 17, 41, 57, 81, 97]


@pytest.mark.parametrize('how', ['loop', 'repeat_last'])
@pytest.mark.parametrize('total', [1, 20, 120])
def test_a_video_shorter_than_a_clip_stays_as_it_is(total, how):
    before = sampled(total, out_of_bound_opt=how)
    assert (snapped(before)['frame_inds'] == before['frame_inds']).all()


@pytest.mark.parametrize('settings', [dict(temporal_jitter=True), dict(target_fps=30)], ids=str)
def test_clips_off_a_stride_are_refused(settings):
    np.random.seed(0)
    with pytest.raises(ValueError, match=r'must be frame_interval=8 apart, got .* temporal_jitter'):
        snapped(sampled(300, **settings))


def test_both_pathways_of_one_decode_are_sampled_alike_but_for_the_snapped_one():
    """In PathwayPipelines, on a video whose frames carry their number."""
    numbers = np.arange(200, dtype=np.uint8)[:, None, None, None]
    video = np.broadcast_to(numbers, (200, 16, 16, 3)).copy()

    def pathway(*snap):
        sample = dict(
            type='SampleFrames', clip_len=4, frame_interval=8, num_clips=10, test_mode=True
        )
        decode = dict(type='DecordDecode')
        shape = dict(type='FormatShape', input_format='NCTHW')
        return [sample, *snap, decode, shape, dict(type='PackActionInputs')]

    both = dict(plain=pathway(), snapped=pathway(dict(type='mmaction_kd.SnapClips')))
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = TRANSFORMS.build(dict(type='mmaction_kd.PathwayPipelines', pathways=both))
        inputs = pipeline(
            dict(array=video, total_frames=200, start_index=0, modality='RGB', label=0)
        )['inputs']
    seen = {name: x[:, 0, :, 0, 0].numpy() for name, x in inputs.items()}
    expected = sampled(200, 4)
    assert (seen['plain'] == expected['frame_inds'].reshape(10, 4)).all()
    assert (seen['snapped'] == snapped(expected)['frame_inds'].reshape(10, 4)).all()
    assert (seen['plain'] != seen['snapped']).any()
