"""Truth: the original architectures, written out here with the names of their checkpoints."""

import importlib
import sys
from pathlib import Path

import pytest
import torch
from full_disk import files_up_to
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parents[2] / 'tools/model_converters'))
checkpoint_io = importlib.import_module('checkpoint_io')
kenshohara = importlib.import_module('kenshohara_r2plus1d50')
vtn = importlib.import_module('vtn')


def randomise(module):
    """Draw every parameter and every batch statistic; activations keep a size near 1."""
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm3d, nn.LayerNorm)):
            nn.init.uniform_(part.weight, 0.5, 1)
            nn.init.normal_(part.bias, std=0.1)
        elif isinstance(part, (nn.Linear, nn.Conv2d, nn.Conv3d)):
            nn.init.kaiming_normal_(part.weight, nonlinearity='linear')
            if part.bias is not None:
                nn.init.normal_(part.bias, std=0.1)
        if isinstance(part, nn.BatchNorm3d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return module.eval()


def build(backbone, cls_head):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(dict(type='Recognizer3D', backbone=backbone, cls_head=cls_head)).eval()


# --- R(2+1)D-50 of 3D-ResNets-PyTorch -------------------------------------------------------------


def add_factorised(module, number, c_in, c_mid, c_out, kernel, stride):
    (t, s), (stride_t, stride_s) = kernel, stride
    spatial = nn.Conv3d(c_in, c_mid, (1, s, s), (1, stride_s, stride_s), (0, s // 2, s // 2))
    temporal = nn.Conv3d(c_mid, c_out, (t, 1, 1), (stride_t, 1, 1), (t // 2, 0, 0))
    spatial.bias = temporal.bias = None
    module.add_module(f'conv{number}_s', spatial)
    module.add_module(f'bn{number}_s', nn.BatchNorm3d(c_mid))
    module.add_module(f'conv{number}_t', temporal)
    module.add_module(f'bn{number}_t', nn.BatchNorm3d(c_out))


class PublishedBlock(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv3d(c_in, width, 1, bias=False), nn.BatchNorm3d(width)
        add_factorised(self, 2, width, 9 * width // 4, width, (3, 3), (stride, stride))
        self.conv3 = nn.Conv3d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(4 * width)
        self.downsample = None
        if c_in != 4 * width:
            shortcut = nn.Conv3d(c_in, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(4 * width))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2_s(self.conv2_s(out)))
        out = F.relu(self.bn2_t(self.conv2_t(out)))
        out = self.bn3(self.conv3(out))
        return F.relu(out + (x if self.downsample is None else self.downsample(x)))


class PublishedR2Plus1d50(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        add_factorised(self, 1, 3, 110, 64, (7, 7), (1, 2))
        c_in = 64
        for number, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 1):
            layer = nn.Sequential()
            for block in range(blocks):
                stride = 2 if number > 1 and block == 0 else 1
                layer.append(PublishedBlock(c_in, width, stride))
                c_in = 4 * width
            self.add_module(f'layer{number}', layer)
        self.fc = nn.Linear(2048, num_classes)

    def forward(self, x):
        x = F.relu(self.bn1_s(self.conv1_s(x)))
        x = F.relu(self.bn1_t(self.conv1_t(x)))
        x = F.max_pool3d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3, 4)))


@pytest.fixture(scope='module')
def published_r2plus1d():
    torch.manual_seed(0)
    return randomise(PublishedR2Plus1d50(num_classes=7))


R2PLUS1D_HEAD = dict(type='I3DHead', num_classes=7, in_channels=2048)


def test_converted_r2plus1d_gives_the_published_logits(
    published_r2plus1d, tmp_path, monkeypatch, capsys
):
    source, target = tmp_path / 'published.pth', tmp_path / 'new' / 'converted.pth'
    state = {f'module.{key}': value for key, value in published_r2plus1d.state_dict().items()}
    torch.save(dict(epoch=200, arch='r2p1d-50', state_dict=state, optimizer=dict()), source)
    monkeypatch.setattr(sys, 'argv', ['converter', str(source), str(target)])
    kenshohara.main()
    assert [path.name for path in target.parent.iterdir()] == ['converted.pth']

    recognizer = build(dict(type='mmaction_kd.R2Plus1d50'), R2PLUS1D_HEAD)
    load_checkpoint(recognizer, str(target), strict=True)
    clips = torch.randn(2, 3, 16, 56, 56)
    with torch.no_grad():
        expected = published_r2plus1d(clips)
        logits = recognizer.cls_head(recognizer.backbone(clips))
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def test_other_checkpoints_are_refused_by_name(published_r2plus1d):
    state = dict(published_r2plus1d.state_dict())
    state.pop('layer3.5.conv3.weight')
    state['layer3.6.conv3.weight'] = torch.zeros(1)
    state['layer1.0.conv1.weight'] = torch.zeros(64, 3, 1, 1, 1)
    with pytest.raises(ValueError) as error:
        kenshohara.convert(state)
    assert '1 missing: backbone.layer3.5.conv3.weight' in str(error.value)
    assert '1 unexpected: backbone.layer3.6.conv3.weight' in str(error.value)
    assert 'layer1.0.conv1.weight (64, 3, 1, 1, 1), expected (64, 64, 1, 1, 1)' in str(error.value)


class RunsCode:
    def __reduce__(self):
        return (exec, ('raise AssertionError("ran")',))


def test_a_checkpoint_cannot_run_code(tmp_path):
    torch.save(dict(state_dict=RunsCode()), tmp_path / 'stranger.pth')
    with pytest.raises(SystemExit, match='tensors and plain values only'):
        checkpoint_io.load_state_dict(tmp_path / 'stranger.pth', 'state_dict')


def test_a_file_without_tensors_is_refused(tmp_path):
    torch.save(dict(epoch=3), tmp_path / 'empty.pth')
    with pytest.raises(SystemExit, match=r"no tensors .* found \['epoch'\]"):
        checkpoint_io.load_state_dict(tmp_path / 'empty.pth', 'state_dict')


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / 'converted.pth'
    checkpoint_io.save_checkpoint(dict(weight=torch.ones(1)), target)

    with files_up_to(100_000), pytest.raises(OSError, match=r'room for .*/converted\.pth, and'):
        checkpoint_io.save_checkpoint(dict(weight=torch.zeros(10**5)), target)
    assert torch.load(target, weights_only=True)['state_dict']['weight'] == 1
    assert list(tmp_path.iterdir()) == [target]


# --- VTN: timm's ViT, Hugging Face's Longformer, an MLP -------------------------------------------


class PublishedViTBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(768, eps=1e-6), nn.LayerNorm(768, eps=1e-6)
        self.attn = nn.ModuleDict(dict(qkv=nn.Linear(768, 2304), proj=nn.Linear(768, 768)))
        self.mlp = nn.ModuleDict(dict(fc1=nn.Linear(768, 3072), fc2=nn.Linear(3072, 768)))

    def forward(self, x):
        q, k, v = self.attn.qkv(self.norm1(x)).unflatten(2, (3, 12, 64)).permute(2, 0, 3, 1, 4)
        attended = (q @ k.transpose(2, 3) / 8).softmax(3) @ v
        x = x + self.attn.proj(attended.transpose(1, 2).flatten(2))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class PublishedViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.randn(1, 1, 768))
        self.pos_embed = nn.Parameter(torch.randn(1, 197, 768))
        self.patch_embed = nn.ModuleDict(dict(proj=nn.Conv2d(3, 768, 16, 16)))
        self.blocks = nn.Sequential(*(PublishedViTBlock() for _ in range(12)))
        self.norm = nn.LayerNorm(768, eps=1e-6)

    def forward(self, images):
        patches = self.patch_embed.proj(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], 1) + self.pos_embed
        return self.norm(self.blocks(x))[:, 0]


class PublishedVTN(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        transformers = pytest.importorskip('transformers')
        config = transformers.LongformerConfig(
            attention_window=[18] * 3,
            num_hidden_layers=3,
            max_position_embeddings=288,
            pad_token_id=-1,
            vocab_size=4,
        )
        self.backbone = PublishedViT()
        self.cls_token = nn.Parameter(torch.randn(1, 1, 768))
        self.temporal_encoder = transformers.LongformerModel(config, add_pooling_layer=False)
        self.temporal_encoder.embeddings.word_embeddings = None
        self.mlp_head = nn.Sequential(
            nn.LayerNorm(768),
            nn.Linear(768, 768),
            nn.GELU(),
            nn.Dropout(0.5),
            nn.Linear(768, num_classes),
        )

    def forward(self, clip, frame_inds):
        tokens = torch.cat([self.cls_token[0], self.backbone(clip.transpose(0, 1))])[None]
        pad = 36 - tokens.shape[1]
        is_cls = torch.zeros(1, 36, dtype=torch.long)
        is_cls[:, 0] = 1
        positions = F.pad(F.pad(frame_inds, (1, 0), value=286), (0, pad), value=287)
        encoded = self.temporal_encoder(
            inputs_embeds=F.pad(tokens, (0, 0, 0, pad)),
            attention_mask=F.pad(torch.ones(1, 36 - pad), (0, pad)).long(),
            global_attention_mask=is_cls,
            token_type_ids=is_cls,
            position_ids=positions,
        ).last_hidden_state
        return self.mlp_head(encoded[:, 0])


@pytest.fixture(scope='module')
def published_vtn():
    torch.manual_seed(0)
    return randomise(PublishedVTN(num_classes=7))


def test_converted_vtn_gives_the_published_logits(published_vtn, tmp_path, monkeypatch, capsys):
    source, target = tmp_path / 'published.pyth', tmp_path / 'converted.pth'
    state = dict(published_vtn.state_dict())
    state['temporal_encoder.embeddings.position_ids'] = torch.arange(288)[None]
    torch.save(dict(epoch=24, model_state=state, cfg='RNG_SEED: 0'), source)
    monkeypatch.setattr(sys, 'argv', ['converter', str(source), str(target)])
    vtn.main()

    recognizer = build(
        dict(type='mmaction_kd.VTN', position_ids='frame_index'),
        dict(type='mmaction_kd.VTNHead', num_classes=7),
    )
    load_checkpoint(recognizer, str(target), strict=True)
    clip = torch.randn(3, 4, 224, 224)
    with torch.no_grad():
        expected = published_vtn(clip, torch.tensor([[0, 8, 16, 24]]))
        logits = recognizer.cls_head(recognizer.backbone(clip[None]))
    assert expected.std() > 0.1
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


def test_converted_vit_is_a_spatial_backbone(published_vtn, tmp_path, monkeypatch, capsys):
    source, target = tmp_path / 'vit.pth', tmp_path / 'converted.pth'
    state = dict(published_vtn.backbone.state_dict())
    torch.save({**state, 'head.weight': torch.zeros(1000, 768)}, source)
    monkeypatch.setattr(sys, 'argv', ['converter', str(source), str(target)])
    vtn.main()

    prefix = 'backbone.spatial_backbone.'
    init_cfg = dict(type='Pretrained', checkpoint=str(target), prefix=prefix)
    backbone = MODELS.build(dict(type='mmpretrain.VisionTransformer', arch='b', init_cfg=init_cfg))
    backbone.init_weights()
    backbone.eval()
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = published_vtn.backbone(image)
        torch.testing.assert_close(backbone(image)[-1], expected, rtol=0, atol=1e-5)


def test_unknown_keys_of_a_vtn_are_named(published_vtn):
    state = {**published_vtn.state_dict(), 'audio.weight': torch.zeros(1)}
    with pytest.raises(ValueError, match=r'unexpected: audio\.weight'):
        vtn.convert_vtn(state)
