"""Truth: the formula, written out frame by frame."""

import pytest
import torch
from mmengine.registry import DefaultScope
from torch import nn

from mmaction_kd.models.backbones import TemporalConvNet

BACKBONE = dict(type='mmpretrain.ResNet', depth=18, stem_channels=8, base_channels=8)


def net(**settings):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        made = TemporalConvNet(**{**dict(spatial_backbone=BACKBONE, channels=6), **settings})
    for part in made.modules():
        if isinstance(part, nn.BatchNorm3d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return made.eval()


@torch.no_grad()
@pytest.mark.parametrize('kernel_size', [1, 3, 5])
def test_the_formula(kernel_size):
    made = net(kernel_size=kernel_size, num_layers=2)
    clips = torch.rand(2, 3, 7, 32, 32)
    expected = []
    for clip in clips:
        feats = made.spatial_backbone(clip.transpose(0, 1))  # (T, width)
        x = feats @ made.frame_projection.weight.T + made.frame_projection.bias  # (T, D)
        for layer in made.layers:
            norm, weight = layer.conv.bn, layer.conv.conv.weight[..., 0, 0]  # (D, D, k)
            rows = []
            for t in range(len(x)):
                total = 0
                for k in range(kernel_size):
                    place = t + k - kernel_size // 2
                    if 0 <= place < len(x):
                        total = total + weight[..., k] @ x[place]
                scale = norm.weight / (norm.running_var + norm.eps).sqrt()
                rows.append(x[t] + ((total - norm.running_mean) * scale + norm.bias).relu())
            x = torch.stack(rows)
        expected.append(x.T)
    found = made(clips)
    assert found.shape == (2, 6, 7, 1, 1)
    torch.testing.assert_close(found[..., 0, 0], torch.stack(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    'settings, words',
    [
        (dict(kernel_size=4), 'kernel_size must be odd, got 4'),
        (dict(channels=0), 'channels must be at least 1'),
        (dict(num_layers=0), 'num_layers must be at least 1'),
        (dict(drop_rate=1.5), r'drop_rate must be in \[0, 1\]'),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        net(**settings)
