import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope


@pytest.fixture(autouse=True)
def mmaction_scope():
    init_default_scope('mmaction')


def decode(video, inds, step, **arguments):
    pipeline = Compose([dict(type='DecordInit'), dict(type=step, **arguments)])
    return pipeline(dict(filename=str(video), frame_inds=np.array(inds)))


@pytest.mark.parametrize('mode', ['accurate', 'efficient'])
@pytest.mark.parametrize('inds', [[0], [59, 3], range(0, 60, 3), [[7, 30, 7], [3, 3, 50]]])
def test_equals_the_stock_decode(tiny_video, inds, mode):
    inds = np.ravel(inds)
    ours = decode(tiny_video, inds, 'mmaction_kd.ChunkedDecordDecode', mode=mode)
    stock = decode(tiny_video, inds, 'DecordDecode', mode=mode)
    assert ours.keys() == stock.keys()
    for key in ('imgs', 'frame_inds', 'img_shape', 'original_shape'):
        np.testing.assert_array_equal(ours[key], stock[key])
    assert ours['video_reader'] is None


def test_frames_outlive_the_reader_and_can_be_written_into(tiny_video):
    inds = [5, 5, *range(6, 40)]
    imgs = decode(tiny_video, inds, 'mmaction_kd.ChunkedDecordDecode')['imgs']
    expected = [img.copy() for img in imgs]
    imgs[0][:] = 7
    decode(tiny_video, range(60), 'mmaction_kd.ChunkedDecordDecode')
    np.testing.assert_array_equal(imgs[1:], expected[1:])
    assert (imgs[0] == 7).all()
