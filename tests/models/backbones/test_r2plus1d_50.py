import pytest
import torch
from mmaction.registry import MODELS as HOST_MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_kd.models.backbones import R2Plus1d50
from mmaction_kd.models.backbones.r2plus1d_50 import mid_channels


def test_mid_channels_keep_the_parameters_of_the_3d_convolution():
    assert mid_channels(3, 64, kernel_t=7, kernel_s=7) == 110
    assert [mid_channels(p, p, 3, 3) for p in (64, 128, 256, 512)] == [144, 288, 576, 1152]


def test_parameters_operations_and_shapes_are_the_published_ones():
    with torch.device('meta'):
        backbone, classifier = R2Plus1d50(), nn.Linear(2048, 400)
        clip = torch.empty(1, 3, 16, 112, 112)
    parameters = [*backbone.parameters(), *classifier.parameters()]
    assert sum(p.numel() for p in parameters) == 47_035_382

    shapes = {}
    for name, part in backbone.named_children():
        part.register_forward_hook(
            lambda _, inputs, output, name=name: shapes.update({name: tuple(output.shape[1:])})
        )
    with FlopCounterMode(display=False) as counter:
        classifier(backbone(clip).mean((2, 3, 4)))
    assert counter.get_total_flops() / 2 == pytest.approx(10.52e9, rel=1e-3)
    assert shapes == dict(
        conv1=(64, 16, 56, 56),
        maxpool=(64, 8, 28, 28),
        layer1=(256, 8, 28, 28),
        layer2=(512, 4, 14, 14),
        layer3=(1024, 2, 7, 7),
        layer4=(2048, 1, 4, 4),
    )


def test_he_initialisation_by_fan_out():
    backbone = R2Plus1d50()
    backbone.init_weights()
    conv = backbone.layer3[0].conv2.conv_s  # 256 -> 576, (1, 3, 3)
    assert conv.weight.std().item() == pytest.approx((2 / (576 * 9)) ** 0.5, rel=0.02)


@pytest.mark.parametrize('frozen_stages', [-1, 0, 2])
def test_frozen_stages_neither_learn_nor_track_statistics(frozen_stages):
    backbone = R2Plus1d50(frozen_stages=frozen_stages)
    backbone.train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 4, 32, 32)).sum().backward()
    parts = ['conv1', 'layer1', 'layer2', 'layer3', 'layer4']
    frozen = parts[: frozen_stages + 1]
    for name, parameter in backbone.named_parameters():
        assert (parameter.grad is None) == name.startswith(tuple(frozen)), name
    changed = {
        name.split('.')[0]
        for name, value in backbone.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == set(parts) - set(frozen)


def test_norm_eval_keeps_every_statistic():
    backbone = R2Plus1d50(norm_eval=True)
    assert backbone.train() is backbone
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone(torch.randn(2, 3, 4, 32, 32))
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())
    assert backbone.layer4.training


def test_errors_name_the_rule():
    with pytest.raises(ValueError, match=r'frozen_stages must be in \[-1, 4\], got 5'):
        R2Plus1d50(frozen_stages=5)


def test_stock_recognizer_trains_and_predicts():
    recognizer = dict(
        type='Recognizer3D',
        backbone=dict(type='mmaction_kd.R2Plus1d50'),
        cls_head=dict(type='I3DHead', num_classes=6, in_channels=2048, average_clips='prob'),
    )
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = HOST_MODELS.build(recognizer)
    clips = torch.randn(2, 1, 3, 8, 32, 32)  # (N, V, C, T, H, W)
    samples = [ActionDataSample().set_gt_label(label) for label in (1, 4)]
    losses = model(clips, samples, mode='loss')
    losses['loss_cls'].backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None]
    model.eval()
    assert len(model(clips, samples, mode='predict')[0].pred_score) == 6
