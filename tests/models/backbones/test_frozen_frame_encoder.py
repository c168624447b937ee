"""Truth: the features of a frozen backbone, wherever they come from, or none."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmaction_kd.models.backbones import VTN, FrozenFrameEncoder, TemporalConvNet

MEAN, STD = [127, 120, 110], [128, 64, 70]
BACKBONE = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)
ENCODER = dict(type='mmaction_kd.FrozenFrameEncoder', backbone=BACKBONE, mean=MEAN, std=STD)


def encoder(seed=0, **settings):
    torch.manual_seed(seed)
    with DefaultScope.overwrite_default_scope('mmaction'):
        made = FrozenFrameEncoder(**{**dict(backbone=BACKBONE, mean=MEAN, std=STD), **settings})
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return made


@pytest.fixture(scope='module')
def frames():
    return torch.randint(256, (6, 3, 48, 64), generator=torch.Generator().manual_seed(0)).float()


def stored(made, frames):
    """As a pipeline gives them: frames of one place."""
    return made.features_to_store(frames)[..., None, None]


def test_features_are_those_of_the_backbone_on_normalised_frames(frames):
    made = encoder()
    normalised = torch.stack(
        [(frames[:, i] - m) / s for i, (m, s) in enumerate(zip(MEAN, STD, strict=True))], 1
    )
    backbone = copy.deepcopy(made.backbone)
    backbone._forward_hooks.clear()
    with torch.no_grad():
        expected = backbone(normalised)[-1].mean((2, 3))
    torch.testing.assert_close(made(frames), expected)
    torch.testing.assert_close(made(stored(made, frames)), expected)


def test_training_changes_nothing_of_it(frames):
    made = encoder()
    model = nn.Sequential(made, nn.Linear(64, 2))
    before = copy.deepcopy(made.state_dict())
    model.train()
    optimizer = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.1))
    )
    first = model[1].weight.clone()
    optimizer.update_params(model(frames).square().sum())
    assert not torch.equal(model[1].weight, first)
    for key, value in made.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize(
    'other',
    [
        dict(seed=1),
        dict(mean=[127, 120, 111]),
        dict(std=[128, 64, 71]),
        dict(backbone=dict(BACKBONE, style='caffe')),  # the same weights, another stride
        dict(backbone=dict(BACKBONE, out_indices=(2, 3))),
    ],
    ids=['weights', 'mean', 'std', 'architecture', 'output'],
)
def test_features_of_another_encoder_are_refused(frames, other):
    made = encoder()
    foreign = encoder(**other)
    with pytest.raises(ValueError, match='must be those of this encoder'):
        made(stored(foreign, frames))


def test_where_the_weights_lie_is_no_other_encoder(frames):
    elsewhere = encoder(backbone=dict(BACKBONE, init_cfg=dict(type='Kaiming', layer='Linear')))
    assert encoder().fingerprint == elsewhere.fingerprint


def test_weights_that_are_loaded_later_count(frames):
    """As a checkpoint brings them: from the next epoch or test on."""
    made, other = encoder(), encoder(seed=1)
    features = stored(other, frames)
    made.fingerprint  # noqa: B018  (computed before)
    made.load_state_dict(other.state_dict())
    made.train()
    torch.testing.assert_close(made(features), other(frames))


def test_one_bit_of_a_tag_is_enough(frames):
    made = encoder()
    features = stored(made, frames)
    features[3, -1] = (features[3, -1].int() ^ 1).float()
    with pytest.raises(ValueError, match='must be those of this encoder'):
        made(features)


def test_features_of_another_width_are_refused(frames):
    with pytest.raises(ValueError, match=r'stored features \(B, 68, 1, 1\), got \(6, 67, 1, 1\)'):
        encoder()(torch.zeros(6, 67, 1, 1))


@pytest.mark.parametrize(
    'make',
    [
        lambda: VTN(ENCODER, embed_dims=24, num_heads=2),
        lambda: TemporalConvNet(ENCODER, channels=24),
    ],
    ids=['VTN', 'TemporalConvNet'],
)
@pytest.mark.parametrize('training', [True, False])
def test_a_backbone_sees_the_same_in_frames_and_in_stored_features(make, training):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = make()
    model.train(training)
    clips = torch.randint(256, (4, 3, 5, 32, 32)).float()  # (N V, C, T, H, W)
    images = clips.transpose(1, 2).flatten(0, 1)
    features = model.spatial_backbone.features_to_store(images)
    features = features.unflatten(0, (4, 5)).transpose(1, 2)[..., None, None]
    with torch.set_grad_enabled(training):
        torch.manual_seed(0)
        expected = model(clips)
        torch.manual_seed(0)
        torch.testing.assert_close(model(features), expected, atol=1e-5, rtol=0)
