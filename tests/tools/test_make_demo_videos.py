"""The demo videos are what their classes say, and the same for the same seed."""

import itertools
import runpy

import cv2
import numpy as np
import pytest
from tool_runs import ROOT, run_tool

demo = runpy.run_path(str(ROOT / 'tools/data/make_demo_videos.py'))
CLASSES, FRAMES = demo['CLASSES'], demo['FRAMES']


class Noiseless:
    """A generator whose noise, the only integers below 0, is 0."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(seed)

    def __getattr__(self, name):
        return getattr(self.generator, name)

    def integers(self, low, *args, **kwargs):
        drawn = self.generator.integers(low, *args, **kwargs)
        return 0 * drawn if low < 0 else drawn


def render(label, seed):
    return demo['render'](label, Noiseless(seed)).astype(int)


def red(frames):
    """Where a pixel is as red as the stripes: (T, H, W)."""
    return frames[..., 2] - frames[..., 0] > 185


def blue(frames):
    return frames[..., 0] - frames[..., 2] > 185


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('label, direction', [('drift_left', -1), ('drift_right', 1)])
def test_a_drift_is_told_by_consecutive_frames_only(label, direction, seed):
    """Frames 8 apart are the same to the last bit; the next one is 2 pixels further."""
    frames = render(label, seed)
    np.testing.assert_array_equal(frames[8:], frames[:-8])
    stripes = red(frames) | blue(frames)
    square = stripes.any(0)
    stripes = stripes[:, square.any(1)][:, :, square.any(0)]
    assert stripes.all(2).sum() == 0 and (stripes == stripes[:, :1]).all()  # upright
    for now, later in itertools.pairwise(stripes):
        assert (now != later).any()
        ahead, behind = (later, now) if direction > 0 else (now, later)
        np.testing.assert_array_equal(ahead[:, 2:], behind[:, :-2])
    assert red(frames).any() != blue(frames).any()  # one colour all the time


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(
    'label, first, second', [('red_then_blue', red, blue), ('blue_then_red', blue, red)]
)
def test_a_change_of_colour_is_told_by_the_order_of_far_frames_only(label, first, second, seed):
    frames = render(label, seed)
    is_first = first(frames).any((1, 2))
    np.testing.assert_array_equal(is_first, ~second(frames).any((1, 2)))
    change = is_first.sum()
    assert is_first[:change].all() and 0.4 * FRAMES - 1 <= change <= 0.6 * FRAMES
    for part in (frames[:change], frames[change:]):  # nothing moves
        np.testing.assert_array_equal(part, np.broadcast_to(part[0], part.shape))
    np.testing.assert_array_equal(first(frames[0]), second(frames[-1]))


def test_colour_is_no_hint_at_the_direction_of_a_drift():
    for label in ('drift_left', 'drift_right'):
        assert len({bool(red(render(label, seed)[0]).any()) for seed in range(8)}) == 2


def test_frames_have_noise():
    frames = demo['render']('red_then_blue', np.random.default_rng(0)).astype(int)
    difference = np.abs(frames[1] - frames[0])
    assert 0 < difference.max() <= 16


def read(path):
    """Decoded frames of a video."""
    video = cv2.VideoCapture(str(path))
    frames = []
    while (found := video.read())[0]:
        frames.append(found[1])
    return np.array(frames)


def test_lists_and_files(demo_set, tmp_path):
    run_tool('tools/data/make_demo_videos.py', tmp_path / 'same', '--train', 2, '--test', 1)
    run_tool(
        *('tools/data/make_demo_videos.py', tmp_path / 'other', '--train', 1, '--test', 0),
        *('--seed', 1),
    )
    assert (demo_set / 'classes.txt').read_text().splitlines() == list(CLASSES)
    seen = []
    for split, number in (('train', 2), ('test', 1)):
        lines = [line.split(' ') for line in (demo_set / f'{split}.txt').read_text().splitlines()]
        assert sorted(int(label) for _, label in lines) == sorted([*range(4)] * number)
        for path, label in lines:
            assert path.split('/')[0] == CLASSES[int(label)]
            frames = read(demo_set / 'videos' / path)
            assert frames.shape == (FRAMES, 72, 96, 3)
            np.testing.assert_array_equal(frames, read(tmp_path / 'same/videos' / path))
            seen.append(frames[0].tobytes())
    assert len(set(seen)) == 12
    (path, _), *_ = (line.split(' ') for line in (demo_set / 'train.txt').open())
    assert (read(tmp_path / 'other/videos' / path) != read(demo_set / 'videos' / path)).any()


def test_a_file_that_can_not_be_written(tmp_path):
    (tmp_path / 'a.mp4').mkdir()
    frames = np.zeros((1, 72, 96, 3), np.uint8)
    with pytest.raises(OSError, match=r'room for .*a\.mp4, .* it, got Is a dir'):
        demo['write_video'](tmp_path / 'a.mp4', frames)
