"""Truth: MMAction2's ThreeCrop where it works, and a frame that holds its own coordinates."""

import numpy as np
import pytest
from mmaction.datasets.transforms import ThreeCrop

from mmaction_kd.registry import TRANSFORMS


def build(size):
    return TRANSFORMS.build(dict(type='mmaction_kd.UniformThreeCrop', crop_size=size))


def frames(width, height, number=2):
    """Frames whose pixels hold (x, y, index of the frame)."""
    y, x = np.mgrid[:height, :width]
    return [np.stack([x, y, np.full_like(x, t)], axis=-1) for t in range(number)]


def boxes(results):
    """The box of each crop as its first and last pixel tell it."""
    first = np.array([img[0, 0, :2] for img in results['imgs']])
    last = np.array([img[-1, -1, :2] for img in results['imgs']])
    return np.concatenate([first, last + 1], axis=1)


@pytest.mark.parametrize('width, height', [(34, 24), (24, 34), (24, 24)])
def test_equals_three_crop_where_the_crop_spans_the_short_side(width, height):
    def results():
        return dict(imgs=frames(width, height), img_shape=(height, width))

    ours, theirs = build(24)(results()), ThreeCrop(24)(results())
    np.testing.assert_array_equal(ours['imgs'], theirs['imgs'])
    np.testing.assert_array_equal(ours['crop_bbox'], theirs['crop_bbox'])
    assert ours['img_shape'] == theirs['img_shape'] == (24, 24)


@pytest.mark.parametrize(
    'width, height, expected',
    [
        (41, 28, [(0, 4), (21, 4), (10, 4)]),
        (28, 41, [(4, 0), (4, 21), (4, 10)]),
        (28, 28, [(0, 4), (8, 4), (4, 4)]),
    ],
)
def test_ends_and_middle_of_the_long_side(width, height, expected):
    """Both edges are seen, also where the slack is odd; frames follow each other in each crop."""
    results = build(20)(dict(imgs=frames(width, height)))
    expected = np.repeat([(x, y, x + 20, y + 20) for x, y in expected], 2, axis=0)
    np.testing.assert_array_equal(boxes(results), expected)
    np.testing.assert_array_equal(results['crop_bbox'], expected)
    assert [img[0, 0, 2] for img in results['imgs']] == [0, 1] * 3
    assert all(img.shape == (20, 20, 3) for img in results['imgs'])


@pytest.mark.parametrize('width, height', [(19, 30), (30, 19)])
def test_a_frame_smaller_than_the_crop_is_refused(width, height):
    words = rf'UniformThreeCrop: crop_size must .* got 20 for frames of {width} x {height} .*Resize'
    with pytest.raises(ValueError, match=words):
        build(20)(dict(imgs=frames(width, height)))


def test_repr():
    assert repr(build(112)) == 'UniformThreeCrop(crop_size=112)'
