"""Truth: every clip through the spatial backbone on its own."""

import pytest
import torch
from test_vtn import TINY_VIT, randomise, tiny_vtn

from mmaction_kd.models.backbones import distinct_frames


def a_pair(**settings):
    """Without and with sharing, the same random weights; what the second's backbone saw."""
    plain, sharing = (tiny_vtn(share_frames=share, **settings).eval() for share in (False, True))
    sharing.load_state_dict(randomise(plain).state_dict())
    seen = []
    sharing.spatial_backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    return plain, sharing, seen


def overlapping_clips(starts, crops=3, stride=2, frames=8, seed=0, size=32):
    """Views of one made-up video as a pipeline packs them, (V, C, T, H, W); crop by crop."""
    generator = torch.Generator().manual_seed(seed)
    video = torch.randn(64, 3, size, size + 16, generator=generator)
    views = []
    for x in [0, 16, 8][:crops]:
        for start in starts:
            clip = video[start : start + stride * frames : stride, :, :, x : x + size]
            views.append(clip.transpose(0, 1))
    return torch.stack(views)


def alone(vtn, clips):
    with torch.no_grad():
        return torch.cat([vtn(clip[None]) for clip in clips])


@pytest.mark.parametrize('frames_at_once', [None, 1, 7, 1000])
def test_each_distinct_frame_and_crop_is_encoded_once(frames_at_once):
    plain, sharing, seen = a_pair(frames_at_once=frames_at_once)
    starts = [0, 4, 6, 10]  # 13 frames of the even ones: 0, 2, ..., 24
    clips = overlapping_clips(starts)
    with torch.no_grad():
        feature = sharing(clips)
    torch.testing.assert_close(feature, alone(plain, clips), rtol=0, atol=1e-6)
    assert sum(map(len, seen)) == 3 * 13
    assert max(map(len, seen)) <= (frames_at_once or 39)


def test_frames_are_shared_among_the_videos_of_a_batch():
    """Two videos, one of them twice, of which one clip repeats a single frame."""
    plain, sharing, seen = a_pair()
    one, other = overlapping_clips([0, 2], 1), overlapping_clips([5], 1, seed=1)
    still = one[:1, :, :1].expand(-1, -1, 8, -1, -1)
    clips = torch.cat([one, other, one, still])
    with torch.no_grad():
        feature = sharing(clips)
    torch.testing.assert_close(feature, alone(plain, clips), rtol=0, atol=1e-6)
    assert [len(images) for images in seen] == [9 + 8]


@pytest.mark.parametrize('numbers', [1, 2])
def test_a_collision_of_hashes_does_not_change_the_result(monkeypatch, numbers):
    plain, sharing, _ = a_pair()
    monkeypatch.setattr(
        distinct_frames, 'frame_hashes', lambda bits: torch.arange(len(bits)) % numbers
    )
    clips = overlapping_clips([0, 2, 4])
    with torch.no_grad():
        torch.testing.assert_close(sharing(clips), alone(plain, clips), rtol=0, atol=1e-6)


def test_frames_with_nan_spoil_their_own_clips_only():
    plain, sharing, _ = a_pair()
    clips = overlapping_clips([0, 20, 40], 1)
    clips[1, 0, 3, 0, 0] = float('nan')
    with torch.no_grad():
        feature = sharing(clips)
    expected = alone(plain, clips)
    assert feature.isnan().all(1).tolist() == [False, True, False]
    torch.testing.assert_close(feature, expected, rtol=0, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize('how', ['autocast', 'bfloat16 weights', 'inference mode'])
def test_shared_frames_in_other_modes(how):
    plain, sharing, seen = a_pair()
    clips = overlapping_clips([0, 2, 4], 1)
    if how == 'bfloat16 weights':
        plain, sharing, clips = plain.bfloat16(), sharing.bfloat16(), clips.bfloat16()
    no_grad = torch.inference_mode if how == 'inference mode' else torch.no_grad
    with no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=how == 'autocast'):
        feature, expected = sharing(clips), plain(clips)
    assert sum(map(len, seen)) == 10
    tolerance = 1e-6 if how == 'inference mode' else 2e-2
    torch.testing.assert_close(feature, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_compiled_equals_eager():
    plain, sharing, seen = a_pair(frames_at_once=8)
    compiled = torch.compile(sharing, backend='eager')
    for starts in ([0, 2, 4], [0, 2, 5], [0, 9, 30]):  # another number of distinct frames each
        clips = overlapping_clips(starts, 1)
        with torch.no_grad():
            torch.testing.assert_close(compiled(clips), plain(clips), rtol=0, atol=1e-6)
    assert max(map(len, seen)) <= 8


def test_nothing_is_shared_where_a_gradient_may_be_asked_for_or_nothing_is_to_gain():
    """Features are read in training; pictures differentiate one clip, or look at one."""
    _, sharing, seen = a_pair()
    clips = overlapping_clips([0, 0], 1)
    sharing(clips)
    sharing.train()
    with torch.no_grad():
        sharing(clips)
        sharing.eval()(clips[:1, :, [0] * 8])
    assert [len(images) for images in seen] == [16, 16, 8]


def test_shapes_are_found_on_the_meta_device():
    """By get_flops and by the dry run; FLOPs are those without sharing."""
    vtn = tiny_vtn().eval().to('meta')
    with torch.no_grad():
        assert vtn(torch.empty(4, 3, 8, 32, 32, device='meta')).shape == (4, 24)


def test_batch_statistics_do_not_matter():
    resnet = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
    plain, sharing, seen = a_pair(spatial_backbone=resnet)
    clips = overlapping_clips([0, 2, 4], size=40)
    with torch.no_grad():
        feature, expected = sharing(clips), plain(clips)
    scale = expected.abs().max()
    torch.testing.assert_close(feature / scale, expected / scale, rtol=0, atol=1e-6)
    assert sum(map(len, seen)) == 30


def test_frames_at_once_must_be_positive():
    with pytest.raises(ValueError, match='frames_at_once must be at least 1, got 0'):
        tiny_vtn(spatial_backbone=TINY_VIT, frames_at_once=0)
