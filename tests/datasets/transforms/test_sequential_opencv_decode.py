import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmaction_kd.datasets.transforms import sequential_opencv_decode


@pytest.fixture(autouse=True)
def mmaction_scope():
    init_default_scope('mmaction')


def decode(video, inds, step):
    pipeline = Compose([dict(type='OpenCVInit'), dict(type=step)])
    return pipeline(dict(filename=str(video), frame_inds=np.array(inds)))


@pytest.mark.parametrize('seek_beyond', [64, 3])
@pytest.mark.parametrize('inds', [[0], [59], [0, 1, 9, 40, 41, 59], [[7, 30, 7], [3, 3, 50]]])
def test_equals_the_stock_decode(tiny_video, monkeypatch, inds, seek_beyond):
    monkeypatch.setattr(sequential_opencv_decode, 'SEEK_BEYOND', seek_beyond)
    ours = decode(tiny_video, inds, 'mmaction_kd.SequentialOpenCVDecode')
    stock = decode(tiny_video, np.ravel(inds), 'OpenCVDecode')
    assert ours.keys() == stock.keys()
    for key in ('imgs', 'frame_inds', 'img_shape', 'original_shape'):
        np.testing.assert_array_equal(ours[key], stock[key])
    assert ours['video_reader'] is None


def test_no_two_images_are_one_in_memory(tiny_video):
    first, *others = decode(tiny_video, [5, 5, 5], 'mmaction_kd.SequentialOpenCVDecode')['imgs']
    assert not any(np.shares_memory(first, other) for other in others)


class Video:
    """A cv2.VideoCapture of numbered frames, the last of which can't be read."""

    def __init__(self, length, readable):
        self.length, self.readable = length, readable
        self.position, self.calls = 0, []

    def set(self, key, index):
        assert key == cv2.CAP_PROP_POS_FRAMES
        self.calls.append(f'seek {index}')
        self.position = max(index - 2, 0)  # OpenCV may fall short

    def get(self, key):
        assert key == cv2.CAP_PROP_POS_FRAMES
        return self.position

    def grab(self):
        self.position += 1

    def read(self):
        index, self.position = self.position, self.position + 1
        self.calls.append(f'read {index}')
        return index < self.readable, self.frame(index) if index < self.readable else None

    def frame(self, index):
        return np.full((2, 2, 3), (index, 0, 1), np.uint8)


def test_seeks_only_over_long_gaps():
    video = Video(length=200, readable=200)
    imgs = list(sequential_opencv_decode.read_forward(video, [2, 10, 74, 140, 141]))
    assert [img[0, 0].tolist() for img in imgs] == [[1, 0, i] for i in (2, 10, 74, 140, 141)]
    assert video.calls == ['read 2', 'read 10', 'read 74', 'seek 140', 'read 140', 'read 141']


def test_a_frame_that_can_not_be_read_is_the_last_before_it():
    video = Video(length=60, readable=57)
    imgs = list(sequential_opencv_decode.read_forward(video, [50, 58, 59]))
    assert [img[0, 0, 2] for img in imgs] == [50, 56, 56]


def test_needs_a_frame_that_can_be_read():
    with pytest.raises(ValueError, match='frame 3 must be readable, got none'):
        list(sequential_opencv_decode.read_forward(Video(length=60, readable=0), [3]))


def test_decodes_with_one_thread(tiny_video, monkeypatch):
    opened = []
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda *a: opened.append(a) or capture(*a))
    decode(tiny_video, [1, 2], 'mmaction_kd.SequentialOpenCVDecode')
    assert opened[-1] == (str(tiny_video), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
