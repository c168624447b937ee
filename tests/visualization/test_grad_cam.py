"""Grad-CAM by other means: NumPy with the gradient written out, and MMAction2's own."""

import numpy as np
import pytest
import tiny_mbd
import torch
from mmaction.models import Recognizer2D, Recognizer3D
from mmaction.structures import ActionDataSample
from mmaction.utils.gradcam_utils import GradCAM
from mmengine.config import Config
from torch import nn

from mmaction_kd.registry import MODELS
from mmaction_kd.visualization import grad_cam, last_map_layer

CLASSES = 5
PREPROCESSOR = dict(
    type='mmaction.ActionDataPreprocessor', mean=[110.0] * 3, std=[60.0] * 3, format_shape='NCTHW'
)


@MODELS.register_module()
class TinyConvNet(nn.Module):
    """Two convolutions in space and time; the ReLU after the maps writes into them."""

    def __init__(self, stride=(2, 4, 4)):
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 3, stride, 1)
        self.maps = nn.Conv3d(4, 6, 1)
        self.relu = nn.ReLU(inplace=True)

    def init_weights(self):
        pass

    def forward(self, clips):
        return self.relu(self.maps(self.stem(clips).tanh()))


def recognizer(**backbone):
    torch.manual_seed(0)
    return Recognizer3D(
        backbone=dict(type='mmaction_kd.TinyConvNet', **backbone),
        cls_head=dict(
            type='I3DHead', num_classes=CLASSES, in_channels=6, init_std=1, dropout_ratio=0.9
        ),
        data_preprocessor=PREPROCESSOR,
    ).train()


@pytest.fixture
def model():
    return recognizer()


@pytest.fixture
def clip():
    return torch.randn(1, 1, 3, 8, 16, 24, generator=torch.Generator().manual_seed(0))


def head_gradient(model, maps, class_index):
    """Of the logit with respect to the maps: mean over positions, ReLU and a linear layer."""
    weight = model.cls_head.fc_cls.weight[class_index].detach().numpy().astype(float)
    positions = np.prod(maps.shape[1:])
    return weight[:, None, None, None] * (maps > 0) / positions


def test_it_is_the_papers_formula(model, clip):
    """Before the interpolation: the maps have the size of the clip."""
    model = recognizer(stride=1)
    with torch.no_grad():
        maps = model.backbone.maps(model.backbone.stem(clip[0]).tanh())[0].double().numpy()
    for class_index in range(CLASSES):
        weights = head_gradient(model, maps, class_index).mean((1, 2, 3))
        expected = np.maximum(np.einsum('c,cthw->thw', weights, maps), 0)
        found = grad_cam(model, clip, 'backbone.maps', class_index).numpy()
        assert found == pytest.approx(expected, abs=1e-6 * abs(expected).max() + 1e-12)
        assert found.shape == clip.shape[3:]


@pytest.mark.filterwarnings('ignore:Using a non-full backward hook')  # theirs
def test_it_equals_mmaction2s_where_that_follows_the_paper(clip):
    """Of maps with one time step; MMAction2 takes the weights of each time step for itself."""
    model = recognizer(stride=(8, 4, 4))
    pixels = torch.randint(0, 256, clip.shape, dtype=torch.uint8)
    label = 3
    mine = grad_cam(model, (pixels - 110.0) / 60.0, 'backbone.relu', label)
    sample = ActionDataSample().set_gt_label(label)
    theirs, _ = GradCAM(model, 'backbone/relu')._calculate_localization_map(
        dict(inputs=[pixels[0]], data_samples=[sample]), use_labels=True
    )
    assert mine.max() > 0
    low, high = mine.min(), mine.max()
    scaled = ((mine - low) / (high - low)).numpy()
    assert scaled == pytest.approx(theirs[0].numpy(), abs=1e-4)


def test_it_leaves_the_model_as_it_was(model, clip):
    model.requires_grad_(False)  # nor does it need gradients
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        first = grad_cam(model, clip, 'backbone.maps', 0)
    assert model.training
    assert torch.equal(first, grad_cam(model, clip, 'backbone.maps', 0))  # no dropout
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_recognizer_of_images_is_explained_frame_by_frame():
    """A 2D network on frames of which only one is not black: only that one can be bright."""
    torch.manual_seed(0)
    model = Recognizer2D(
        backbone=dict(type='ResNet', depth=18, norm_eval=False, pretrained=None),
        cls_head=dict(
            type='TSNHead', num_classes=CLASSES, in_channels=512, init_std=1, average_clips='prob'
        ),
        data_preprocessor=dict(PREPROCESSOR, format_shape='NCHW'),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d) and module.bias is not None:
            nn.init.zeros_(module.bias)
    frames = torch.zeros(1, 4, 3, 64, 64)
    frames[:, 2] = torch.randn(3, 64, 64)
    layer = last_map_layer(model, frames)
    assert layer == 'backbone.layer4'
    heat = torch.stack([grad_cam(model, frames, layer, k) for k in range(CLASSES)]).amax((0, 2, 3))
    assert heat[2] > 0
    assert heat[[0, 1, 3]].max() == 0


@pytest.mark.parametrize(
    ('config', 'layer'),
    [
        ('configs/mbd/tiny_r3d_vtn.py', 'backbone.layer4'),
        ('configs/dtkd/tiny_slowfast.py', 'backbone.slow_path.layer4'),
    ],
)
def test_the_layer_is_found(config, layer):
    cfg = Config.fromfile(config).model
    model = MODELS.build(dict(cfg.get('local_pathway', cfg), _scope_='mmaction'))
    assert last_map_layer(model, torch.randn(1, 1, 3, 16, 48, 48)) == layer


def test_a_vtn_has_maps_where_its_frames_are_seen_by_a_convolutional_network():
    cfg = Config.fromfile('configs/mbd/tiny_r3d_vtn.py').model.global_pathway
    model = MODELS.build(dict(cfg, _scope_='mmaction'))
    clip = torch.randn(1, 1, 3, 6, 48, 48)
    layer = last_map_layer(model, clip)
    assert layer == 'backbone.spatial_backbone.layer4'
    assert grad_cam(model, clip, layer, 0).shape == (6, 48, 48)


def test_a_vit_has_none():
    model = tiny_mbd.build().pathways['local']
    assert last_map_layer(model, torch.randn(1, 1, 3, 4, 16, 16)) is None


@pytest.mark.parametrize(
    ('layer', 'words'),
    [
        ('backbone.layer9', r"backbone has no module 'layer9'; it has \['maps', 'relu', 'stem'\]"),
        ('cls_head.fc_cls', r'must put out feature maps .*, got \(1, 5\); name a convolutional'),
    ],
)
def test_a_layer_that_will_not_do_is_named(model, clip, layer, words):
    with pytest.raises(ValueError, match=words):
        grad_cam(model, clip, layer, 0)
