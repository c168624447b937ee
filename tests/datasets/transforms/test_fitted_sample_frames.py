"""Which raw frames a clip has, against NumPy; on long videos as MMAction2's."""

import numpy as np
import pytest
from mmaction.datasets.transforms import SampleFrames

from mmaction_kd.datasets.transforms import FittedSampleFrames

CLIP = dict(clip_len=64, frame_interval=2, target_fps=30, out_of_bound_opt='repeat_last')


def frames(kind, total, fps=30.0, start_index=0, **settings):
    np.random.seed(0)
    sample = kind(**{**CLIP, **settings})
    inds = sample(dict(total_frames=total, start_index=start_index, avg_fps=fps))['frame_inds']
    return inds.reshape(-1, CLIP['clip_len'])


@pytest.mark.parametrize('total', [20, 63, 64, 90, 127, 128])
@pytest.mark.parametrize('test_mode', [False, True])
def test_a_short_video_is_covered_from_its_first_to_its_last_frame(total, test_mode):
    (inds,) = frames(FittedSampleFrames, total, test_mode=test_mode, start_index=1)
    np.testing.assert_array_equal(inds - 1, np.linspace(0, total - 1, 64).astype(int))


@pytest.mark.parametrize(('total', 'fps'), [(129, 30), (500, 30), (260, 60), (110, 25)])
@pytest.mark.parametrize('settings', [{}, dict(test_mode=True, num_clips=10)])
def test_a_long_one_has_mmactions_clips(total, fps, settings):
    expected = frames(SampleFrames, total, fps, **settings)
    np.testing.assert_array_equal(frames(FittedSampleFrames, total, fps, **settings), expected)


def test_it_differs_from_repeating_the_last_frame():
    """90 frames, 3 s: MMAction2's has 45 distinct ones and then the last, this one 64."""
    assert len(np.unique(frames(SampleFrames, 90))) == 45
    assert len(np.unique(frames(FittedSampleFrames, 90))) == 64
