"""Each algorithm finds the flow of frames whose motion is known."""

import cv2
import numpy as np
import pytest
from moving_texture import INSIDE, DriftingVideo, shifted, turned

from mmaction_kd.optical_flow.algorithms import ALGORITHMS, optical_flow
from mmaction_kd.optical_flow.horn_schunck import horn_schunck
from mmaction_kd.optical_flow.video_motion import MotionSettings, parallel_motion

MOTIONS = {
    'less than a pixel': shifted(0.6, -0.3),
    'a pixel': shifted(-1.0, 0.5),
    'rotation': turned(0.02),
}
ERRORS = dict.fromkeys(ALGORITHMS, 0.1) | dict(dis_fast=0.15, dis_ultrafast=0.15)  # pixels, at most


@pytest.mark.parametrize('motion', MOTIONS)
@pytest.mark.parametrize('name', ALGORITHMS)
def test_flow_of_a_known_motion(name, motion):
    """The end points lie within 0.1 or 0.15 pixels, in the mean; the motion is 0.7 to 1.1."""
    first, second, truth = MOTIONS[motion]
    flow = optical_flow(name)(first, second)
    assert flow.shape == truth.shape and flow.dtype == np.float32
    error = np.linalg.norm(flow - truth, axis=2)[INSIDE].mean()
    assert error < ERRORS[name] < np.linalg.norm(truth, axis=2)[INSIDE].mean() / 4


@pytest.mark.parametrize('name', ALGORITHMS)
def test_equal_frames_do_not_move(name):
    frame, _, _ = shifted(0, 0)
    speed = np.linalg.norm(optical_flow(name)(frame, frame), axis=2)
    assert speed[INSIDE].max() < 1e-3
    assert speed.mean() < 0.01  # OpenCV's Farneback guesses at the border


@pytest.mark.parametrize('name', [name for name in ALGORITHMS if name != 'horn_schunck'])
def test_flow_of_three_pixels(name):
    """The algorithms of OpenCV work from coarse to fine."""
    first, second, truth = shifted(3.0, 1.5)
    error = np.linalg.norm(optical_flow(name)(first, second) - truth, axis=2)
    assert error[INSIDE].mean() < ERRORS[name]


def test_presets_of_dis_are_opencvs():
    first, second, _ = shifted(1.0, 0.5)
    presets = dict(dis='MEDIUM', dis_fast='FAST', dis_ultrafast='ULTRAFAST')
    for name, preset in presets.items():
        opencv = cv2.DISOpticalFlow.create(getattr(cv2, f'DISOPTICAL_FLOW_PRESET_{preset}'))
        flow = optical_flow(name)(first, second)
        np.testing.assert_array_equal(flow, opencv.calc(first, second, None))


@pytest.mark.parametrize('name', ALGORITHMS)
def test_a_pair_has_no_memory_of_the_one_before(name):
    """Else the motion of a video would depend on which process measures it."""
    algorithm = optical_flow(name)
    first, second, _ = shifted(1.0, 0.5)
    expected = optical_flow(name)(first, second).copy()
    algorithm(*shifted(-2.0, 1.0)[:2])
    np.testing.assert_array_equal(algorithm(first, second), expected)


def test_another_algorithm_is_one_file_and_its_name(tmp_path, monkeypatch):
    """Worker processes find it, too."""
    code = 'import numpy as np\n\n\ndef flow(a, b):\n    return np.full((*a.shape, 2), (3, 4))\n'
    (tmp_path / 'my_flow.py').write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    settings = MotionSettings('my_flow.flow')
    assert dict(parallel_motion(dict(a=DriftingVideo(1.0)), settings, 1)) == dict(a=5)


@pytest.mark.parametrize('name', ['raft', 'cv2', 'cv2.no_flow', 'no.flow'])
def test_there_is_no_such_algorithm(name):
    words = rf"algorithm must be one of \['dis', .*import path of a function .*, got '{name}'"
    with pytest.raises(ValueError, match=words):
        MotionSettings(name)


def test_without_contrib_the_package_to_install_is_named(monkeypatch):
    monkeypatch.delattr(cv2, 'optflow')
    with pytest.raises(ImportError, match=r'install opencv-contrib-python.*horn_schunck'):
        optical_flow('tvl1')
    optical_flow('dis')


# --- Horn and Schunck -------------------------------------------------------------------------


def horn_schunck_by_loops(first, second, smoothness, iterations):
    """The paper's formulas, pixel by pixel, (H, W, 2)."""
    height, width = first.shape

    def at(image, i, j):
        return image[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]

    def mean(image, i, j):
        sides = sum(at(image, i + a, j + b) for a, b in ((-1, 0), (1, 0), (0, -1), (0, 1)))
        corners = sum(at(image, i + a, j + b) for a in (-1, 1) for b in (-1, 1))
        return sides / 6 + corners / 12

    e, f = first.astype(float), second.astype(float)
    u, v = np.zeros_like(e), np.zeros_like(e)
    for _ in range(iterations):
        old_u, old_v = u.copy(), v.copy()
        for i in range(height):
            for j in range(width):
                cube = np.array(
                    [[[at(g, i + a, j + b) for b in (0, 1)] for a in (0, 1)] for g in (e, f)]
                )
                e_t, e_y, e_x = (np.diff(cube, axis=axis).mean() for axis in range(3))
                u_mean, v_mean = mean(old_u, i, j), mean(old_v, i, j)
                change = e_x * u_mean + e_y * v_mean + e_t
                change /= smoothness**2 + e_x**2 + e_y**2
                u[i, j], v[i, j] = u_mean - e_x * change, v_mean - e_y * change
    return np.stack([u, v], axis=2)


def test_horn_schunck_is_the_papers_iteration():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 6, 9), dtype=np.uint8)
    expected = horn_schunck_by_loops(first, second, 20.0, 4)
    np.testing.assert_allclose(horn_schunck(first, second, 20.0, 4), expected, atol=1e-5)


def test_horn_schunck_holds_for_a_pixel_and_not_for_five():
    """In the mean 3 % off, and 25 %."""
    for speed, low, high in ((1.0, 0, 0.03), (5.0, 0.25, 1)):
        first, second, truth = shifted(speed, 0.0)
        error = np.linalg.norm(horn_schunck(first, second) - truth, axis=2)[INSIDE].mean()
        assert low < error / speed < high
