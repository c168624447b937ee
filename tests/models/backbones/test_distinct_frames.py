"""Truth: the bytes of each frame, compared by Python."""

import pytest
import torch

from mmaction_kd.models.backbones import distinct_frames as module
from mmaction_kd.models.backbones.distinct_frames import distinct_frames


def oracle(frames):
    """First appearances by the bytes of the frame, and which of them each frame is."""
    seen = {}
    keys = [frame.contiguous().view(torch.uint8).numpy().tobytes() for frame in frames]
    places = [seen.setdefault(key, len(seen)) for key in keys]
    return [keys.index(key) for key in seen], places


def drawn(dtype, shape=(3, 6, 5), distinct=20, rows=70, seed=0):
    """Frames of a few different ones, in any order."""
    torch.manual_seed(seed)
    pool = (100 * torch.randn(distinct, *shape)).to(dtype)
    return pool[torch.randint(distinct, (rows,))]


def check(frames):
    first, place = distinct_frames(frames)
    assert (first.tolist(), place.tolist()) == oracle(frames)


@pytest.mark.parametrize('shape', [(3, 6, 5), (3, 8, 8), (1, 1, 1)], ids=str)
@pytest.mark.parametrize(
    'dtype', [torch.uint8, torch.bfloat16, torch.float16, torch.float32, torch.float64], ids=str
)
def test_equals_a_comparison_of_bytes(dtype, shape):
    check(drawn(dtype, shape))


def test_nan_and_signed_zero_are_compared_by_their_bits():
    frames = torch.zeros(6, 3, 4, 4)
    frames[1, 0, 0, 0] = frames[3, 0, 0, 0] = float('nan')
    frames[2, 1, 1, 1] = -0.0
    frames[4] = float('nan')
    first, place = distinct_frames(frames)
    assert first.tolist() == [0, 1, 2, 4]
    assert place.tolist() == [0, 1, 2, 1, 3, 0]


def test_one_bit_or_the_place_of_a_value_makes_a_frame_another():
    torch.manual_seed(0)
    frame = torch.randn(3, 6, 5)
    last_bit = frame.clone()
    last_bit.view(torch.int32)[2, 5, 4] ^= 1
    frames = torch.stack([frame, last_bit, frame.flip(2), frame.flip(0), frame])
    assert distinct_frames(frames)[1].tolist() == [0, 1, 2, 3, 0]


@pytest.mark.parametrize('numbers', [1, 2, 5])
def test_frames_of_one_number_are_still_told_apart(monkeypatch, numbers):
    """Whatever is shared is bit-equal; all that equal the first of their number are shared."""
    frames = drawn(torch.float32, distinct=4, rows=50)
    fakes = torch.arange(50) % numbers
    monkeypatch.setattr(module, 'frame_hashes', lambda bits: fakes)
    first, place = distinct_frames(frames)
    assert torch.equal(frames[first][place], frames)
    for number in range(numbers):
        own = (fakes == number).nonzero()[:, 0]
        equal = [i for i in own.tolist() if torch.equal(frames[i], frames[own[0]])]
        assert len({place[i].item() for i in equal}) == 1 and len(equal) > 1


def test_a_frame_without_company_and_views_of_a_larger_memory():
    check(drawn(torch.float32, rows=1))
    whole = drawn(torch.float32, (3, 6, 9), rows=40)
    check(whole[:, :, :, 1:8])  # a crop
    check(torch.arange(49.0)[1:].reshape(3, 1, 4, 4))  # memory that begins between two words
    check(drawn(torch.float32, (6, 3, 5)).transpose(1, 2))


def test_numbers_of_different_frames_differ():
    """Also where frames differ in few values: 5,000 frames, one value of each moved a bit."""
    frames = torch.zeros(5000, 1, 50, 100)
    rows = torch.arange(5000)
    frames.flatten(1)[rows, rows] = 1.0
    numbers = module.frame_hashes(frames.flatten(1).view(torch.int64))
    assert len(numbers.unique()) == 5000
