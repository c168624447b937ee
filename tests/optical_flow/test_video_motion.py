"""The motion of a video is in pixels per frame at the working size."""

import numpy as np
import pytest
from moving_texture import HEIGHT, DriftingVideo

from mmaction_kd.datasets.video_source import UnusableVideo, resize_short_side
from mmaction_kd.optical_flow.algorithms import ALGORITHMS
from mmaction_kd.optical_flow.video_motion import (
    SMALLEST_SHORT_SIDE,
    MotionSettings,
    frame_pairs,
    mean_magnitude,
    video_motion,
)

INSIDE = dict(centre_crop=0.7)


class Recorded:
    """A source that remembers which frames were read."""

    def __init__(self, video):
        self.video, self.read = video, []

    def open(self):
        num_frames, read = self.video.open()

        def reading(t):
            self.read.append(t)
            return read(t)

        return num_frames, reading


# --- Units ------------------------------------------------------------------------------------


@pytest.mark.parametrize('stride, pair_stride', [(1, 0), (2, 0), (1, 1), (1, 3), (2, 3)])
@pytest.mark.parametrize('algorithm', ['dis', 'farneback'])
def test_two_pixels_per_frame_are_two(algorithm, stride, pair_stride):
    """Whatever the strides."""
    settings = MotionSettings(algorithm, HEIGHT, stride, pair_stride, **INSIDE)
    assert video_motion(DriftingVideo(1.6, 1.2), settings) == pytest.approx(2, rel=0.02)


def test_motion_scales_with_the_working_size():
    video = DriftingVideo(1.6, 1.2)
    for factor in (0.5, 1, 2):
        settings = MotionSettings(short_side=int(factor * HEIGHT), **INSIDE)
        assert video_motion(video, settings) == pytest.approx(2 * factor, rel=0.05)
        assert settings.unit == f'pixels per frame at short side {int(factor * HEIGHT)}'


def test_short_side_0_is_the_size_of_the_file():
    video = DriftingVideo(1.6, 1.2, scale=2)
    own = MotionSettings(short_side=0)
    assert video_motion(video, own) == video_motion(video, MotionSettings(short_side=2 * HEIGHT))
    assert own.unit == 'pixels per frame at the size of the files'


def test_motion_does_not_depend_on_the_size_of_the_file():
    small, large = DriftingVideo(1.0), DriftingVideo(2.0, scale=2)
    settings = MotionSettings(short_side=HEIGHT, **INSIDE)
    assert video_motion(small, settings) == pytest.approx(video_motion(large, settings), rel=0.02)


def test_a_still_video_does_not_move():
    for name in ALGORITHMS:
        settings = MotionSettings(name, short_side=SMALLEST_SHORT_SIDE)
        assert video_motion(DriftingVideo(0.0, num_frames=2), settings) < 1e-3


def test_the_mean_is_over_frames():
    """1 pixel in one step, none in the three others."""

    class Jerking:
        def open(self):
            still, moved = (DriftingVideo(1.0).open()[1](t) for t in (0, 1))
            return 5, [still, still, moved, moved, moved].__getitem__

    settings = MotionSettings(short_side=HEIGHT, **INSIDE)
    assert video_motion(Jerking(), settings) == pytest.approx(1 / 4, rel=0.03)


def test_the_mean_is_over_the_pairs_that_count():
    """1 pixel from frame 3 to frame 4, of 7, and none in the other steps."""

    class Jerking:
        def open(self):
            still, moved = (DriftingVideo(1.0).open()[1](t) for t in (0, 1))
            return 7, lambda t: moved if t > 3 else still

    for pair_stride, motion in ((0, 1 / 6), (1, 1 / 6), (2, 0), (3, 1 / 2), (4, 0)):
        settings = MotionSettings(short_side=HEIGHT, pair_stride=pair_stride, **INSIDE)
        assert video_motion(Jerking(), settings) == pytest.approx(motion, rel=0.03, abs=1e-3)


# --- Frames and pixels that count -------------------------------------------------------------


@pytest.mark.parametrize(
    'num_frames, stride, pair_stride, segments, pairs',
    [
        (4, 1, 0, 0, [(0, 1), (1, 2), (2, 3)]),
        (5, 2, 0, 0, [(0, 2), (2, 4)]),
        (6, 2, 0, 0, [(0, 2), (2, 4)]),
        (9, 1, 4, 0, [(0, 1), (4, 5)]),
        (10, 1, 4, 0, [(0, 1), (4, 5), (8, 9)]),
        (3, 1, 8, 0, [(0, 1)]),
        (6, 2, 3, 0, [(0, 2), (3, 5)]),
        (10, 1, 0, 3, [(1, 2), (4, 5), (7, 8)]),
        (101, 1, 0, 1, [(50, 51)]),
        (101, 1, 10, 2, [(20, 21), (70, 71)]),
        (3, 1, 0, 8, [(0, 1), (1, 2)]),
        (2, 2, 0, 0, []),
        (2, 2, 9, 0, []),
        (0, 1, 0, 0, []),
    ],
)
def test_frame_pairs(num_frames, stride, pair_stride, segments, pairs):
    assert frame_pairs(num_frames, stride, pair_stride, segments) == pairs


@pytest.mark.parametrize('settings, read', [
    (dict(), list(range(10))),
    (dict(segments=3), [1, 2, 4, 5, 7, 8]),
    (dict(pair_stride=4), [0, 1, 4, 5, 8, 9]),
    (dict(stride=2, pair_stride=3), [0, 2, 3, 5, 6, 8]),
])  # fmt: skip
def test_no_frame_is_read_twice_or_in_vain(settings, read):
    video = Recorded(DriftingVideo(1.0, num_frames=10))
    video_motion(video, MotionSettings(short_side=16, **settings))
    assert video.read == read


def test_mean_magnitude_within_the_centre():
    """In a flow of (3, 4) in the centre half and nothing around it."""
    flow = np.zeros((8, 12, 2), np.float32)
    flow[2:6, 3:9] = 3, 4
    assert mean_magnitude(flow, 0.5) == 5
    assert mean_magnitude(flow) == 5 / 4
    assert mean_magnitude(flow, 0.01) == 5  # one pixel


@pytest.mark.parametrize('shape, short_side, expected', [
    ((240, 320), 128, (128, 171)),
    ((320, 240), 128, (171, 128)),
    ((64, 64), 128, (128, 128)),
    ((128, 200), 128, (128, 200)),
    ((90, 60), 0, (90, 60)),
])  # fmt: skip
def test_resize_short_side(shape, short_side, expected):
    assert resize_short_side(np.zeros(shape, np.uint8), short_side).shape == expected


# --- What can not be ----------------------------------------------------------------------------


def test_a_video_too_short():
    with pytest.raises(UnusableVideo, match='it has 3 frames, a pair needs 4'):
        video_motion(DriftingVideo(1.0, num_frames=3), MotionSettings(stride=3))


def test_frames_too_small_for_any_algorithm():
    class Small:
        def open(self):
            return 2, lambda t: np.zeros((SMALLEST_SHORT_SIDE - 1, 40), np.uint8)

    with pytest.raises(UnusableVideo, match='its frames are 40 x 15, a side needs 16 pixels'):
        video_motion(Small(), MotionSettings(short_side=0))
    for name in ALGORITHMS:
        settings = MotionSettings(name, short_side=SMALLEST_SHORT_SIDE)
        assert video_motion(Small(), settings) < 1e-3


def test_frames_of_two_sizes():
    class Growing:
        def open(self):
            return 3, lambda t: np.zeros((64, 64 + t // 2), np.uint8)

    with pytest.raises(UnusableVideo, match='frames 1 and 2 differ in size'):
        video_motion(Growing(), MotionSettings())


@pytest.mark.parametrize('settings, words', [
    (dict(short_side=15), 'short_side must be 0, or 16 or more, got 15'),
    (dict(short_side=-1), 'short_side must be 0, or 16 or more, got -1'),
    (dict(stride=0), 'stride must be at least 1, got 0'),
    (dict(pair_stride=-1), 'pair_stride must be 0, or 1 or more, got -1'),
    (dict(stride=3, pair_stride=2), 'pair_stride must be 0, or 3 or more, got 2'),
    (dict(segments=-1), 'segments must be at least 0, got -1'),
    (dict(centre_crop=0.0), r'centre_crop must be in \(0, 1\], got 0.0'),
    (dict(centre_crop=1.5), r'centre_crop must be in \(0, 1\], got 1.5'),
])  # fmt: skip
def test_settings_out_of_range(settings, words):
    with pytest.raises(ValueError, match=f'MotionSettings: {words}'):
        MotionSettings(**settings)


@pytest.mark.parametrize(
    'setting, words',
    [
        (dict(short_side=128.0), 'short_side must be a whole number, got 128.0'),
        (dict(stride='2'), "stride must be a whole number, got '2'"),
        (dict(centre_crop=True), 'centre_crop must be a number, got True'),
        (dict(algorithm=None), 'algorithm must be a string, got None'),
    ],
)
def test_settings_of_another_type(setting, words):
    with pytest.raises(TypeError, match=f'MotionSettings: {words}'):
        MotionSettings(**setting)
