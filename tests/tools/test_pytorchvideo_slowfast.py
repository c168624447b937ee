"""Truth: the published architectures, from the package that publishes them; random weights."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from test_model_converters import randomise
from torch import nn

pytest.importorskip('pytorchvideo')
hub = importlib.import_module('pytorchvideo.models.hub.slowfast')

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / 'tools/model_converters'))
converter = importlib.import_module('pytorchvideo_slowfast')

# recognizer -> name in the hub, frames of a clip
PUBLISHED = {
    'slowfast_r101_16x8': ('slowfast_16x8_r101_50_50', 64),
    'slowfast_r101_8x8': ('slowfast_r101', 32),
    'slowfast_r50_8x8': ('slowfast_r50', 32),
}


def publish(name, **settings):
    """As published, with 7 classes, and pooling windows as large as what they pool."""
    torch.manual_seed(0)
    settings = dict(dict(head_pool=nn.AdaptiveAvgPool3d), **settings)
    return randomise(getattr(hub, PUBLISHED[name][0])(model_num_class=7, **settings))


def build(name):
    cfg = Config.fromfile(ROOT / f'configs/_base_/recognizers/{name}.py').model
    cfg.cls_head.num_classes = 7
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(cfg).eval()


@pytest.fixture(scope='module')
def published_r50():
    return publish('slowfast_r50_8x8')


@pytest.mark.parametrize('name', PUBLISHED)
def test_each_published_model_is_told_by_its_weights(name):
    with torch.device('meta'):
        state = getattr(hub, PUBLISHED[name][0])(model_num_class=7).state_dict()
        expected = build(name).state_dict()
    converted = converter.convert(state)
    assert converter.architecture(converted) == name
    assert {key: value.shape for key, value in converted.items()} == {
        key: value.shape for key, value in expected.items()
    }


@pytest.mark.parametrize(
    'name',
    [
        pytest.param('slowfast_r101_16x8', marks=pytest.mark.slow),
        pytest.param('slowfast_r101_8x8', marks=pytest.mark.slow),
        'slowfast_r50_8x8',
    ],
)
def test_converted_slowfast_gives_the_published_logits(name, tmp_path, monkeypatch, capsys):
    published = publish(name)
    source, target = tmp_path / 'published.pyth', tmp_path / 'converted.pth'
    torch.save(dict(model_state=published.state_dict()), source)
    monkeypatch.setattr(sys, 'argv', ['converter', str(source), str(target)])
    converter.main()

    recognizer = build(name)
    load_checkpoint(recognizer, str(target), strict=True)
    clips = torch.randn(2, 3, PUBLISHED[name][1], 64, 64)
    with torch.no_grad():
        expected = published([clips[:, :, ::4], clips])  # the frames that MMAction2's sees
        logits = recognizer.cls_head(recognizer.backbone(clips))
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)


def test_published_windows_count_all_places_alike_only_at_crop_224():
    """What the converter says of the head; its windows are 7 x 7 places of 32 x 32 pixels."""
    published = publish('slowfast_r50_8x8', head_pool=nn.AvgPool3d)
    recognizer = build('slowfast_r50_8x8')
    recognizer.load_state_dict(converter.convert(published.state_dict()))
    differences = {}
    for crop in (224, 256):
        feats = [torch.randn(1, *shape, crop // 32, crop // 32) for shape in ((2048, 8), (256, 32))]
        with torch.no_grad():
            expected = published.blocks[6](published.blocks[5](list(feats)))
            differences[crop] = (recognizer.cls_head(tuple(feats)) - expected).abs().max()
    assert differences[224] < 1e-5 < 1e-3 < differences[256]


def test_published_slow_frames_are_up_to_three_later():
    """What the converter says of the frames; linspace is that of PyTorchVideo's own sampling."""
    published = torch.linspace(0, 63, 16).long()
    assert published.tolist()[:6] == [0, 4, 8, 12, 16, 21] and published[-1] == 63
    assert (published - torch.arange(0, 64, 4)).max() == 3


def test_columns_of_the_classifier_change_places(published_r50):
    """The slow pathway's 2048 come first as published, the fast one's 256 in MMAction2."""
    state = published_r50.state_dict()
    state['blocks.6.proj.weight'] = torch.arange(2304.0).expand(7, -1)
    columns = converter.convert(state)['cls_head.fc_cls.weight'][0]
    assert columns[:256].tolist() == list(range(2048, 2304))
    assert columns[256:].tolist() == list(range(2048))


def test_other_checkpoints_are_refused_by_name(published_r50):
    state = published_r50.state_dict()
    state['blocks.7.weight'] = state.pop('blocks.2.multipathway_fusion.norm.bias')
    with pytest.raises(ValueError) as error:
        converter.convert(state)
    assert '1 missing: backbone.slow_path.layer2_lateral.bn.bias' in str(error.value)
    assert '1 unexpected: blocks.7.weight' in str(error.value)
