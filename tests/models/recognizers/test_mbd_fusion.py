"""MBD with each fusion: it trains, predicts, and leaves the pathways alone unless told."""

import copy

import numpy as np
import pytest
import tiny_mbd
import torch

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads import FusionHead
from mmaction_kd.models.heads.fusion_head import FusedScores
from mmaction_kd.models.submodels.outputs import last_feature
from mmaction_kd.registry import MODELS

HEADS = {
    'weighted': dict(type='mmaction_kd.AdaptiveFusionHead', weights=[0.3, 0.7]),
    'max': dict(type='mmaction_kd.AdaptiveFusionHead', weights='average', combine='max'),
    'concat': dict(type='mmaction_kd.FeatureFusionHead'),
    'bilinear': dict(
        type='mmaction_kd.FeatureFusionHead', join=dict(type='mmaction_kd.BilinearJoin', rank=8)
    ),
    'conv3d': dict(
        type='mmaction_kd.FeatureFusionHead', join=dict(type='mmaction_kd.Conv3dJoin', channels=8)
    ),
}
TRAINED = ('concat', 'bilinear', 'conv3d')
R3D = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResNet3d',
        depth=18,
        base_channels=4,
        conv1_kernel=(3, 7, 7),
        inflate=(1, 1, 1, 1),
        norm_eval=False,
        pretrained=None,
    ),
    cls_head=dict(
        type='I3DHead', num_classes=tiny_mbd.CLASSES, in_channels=32, average_clips='prob'
    ),
    data_preprocessor=tiny_mbd.PREPROCESSOR,
)
FEATURES = dict(
    local_pathway='backbone.layer3', global_pathway='backbone.temporal_encoder.layers.0'
)


def build(name, local=R3D, **changes):
    """The local pathway has a feature map, and BN."""
    head = dict(HEADS[name], **changes)
    return tiny_mbd.build(fusion_head=head, local_pathway=copy.deepcopy(local), features=FEATURES)


def trained(model):
    return [(n, p) for n, p in model.named_parameters() if p.requires_grad]


@pytest.mark.parametrize('name', HEADS)
def test_two_steps_and_a_prediction(name):
    model = build(name)
    inputs, samples = tiny_mbd.batch(3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(2):
        losses = model(inputs, samples, mode='loss')
        optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        assert [n for n, p in trained(model) if p.grad is None] == []  # DDP needs all
        optimizer.step()
        assert all(value.isfinite().all() for value in losses.values())
    assert ('fused/loss_cls' in losses) == (name in TRAINED)
    assert 0 <= losses['fused/top1_acc'] <= 1
    views, samples = tiny_mbd.batch(2, views=3)
    predicted = model.eval()(views, samples, mode='predict')
    for sample in predicted:
        assert sample.pred_score.shape == (tiny_mbd.CLASSES,)
        assert sample.pred_score.sum().item() == pytest.approx(1, abs=1e-5)
        assert sample.local_weight.item() + sample.global_weight.item() == pytest.approx(1)


@pytest.mark.parametrize('name', TRAINED)
def test_detached_the_pathways_gradients_are_those_without_the_head(name):
    def gradients(model):
        model.parse_losses(model(*tiny_mbd.batch(3), mode='loss'))[0].backward()
        return {n: p.grad for n, p in trained(model) if not n.startswith('fusion_head')}

    models = [build('max'), build(name), build(name, detach=False)]
    for model in models[1:]:
        model.load_state_dict(models[0].state_dict(), strict=False)
    for model in models:
        model.local_pathway.cls_head.dropout.p = 0.0
    without, detached, joined = map(gradients, models)
    assert all(torch.equal(without[n], detached[n]) for n in without)
    for pathway in PATHWAYS:
        layers = [n for n in without if n.startswith(f'{pathway}_pathway.backbone')]
        assert any(not torch.equal(without[n], joined[n]) for n in layers), pathway


@pytest.mark.parametrize('name', TRAINED)
def test_scores_of_views_are_averaged(name):
    """Of several views the fused score is the mean of those of each view alone."""
    model = build(name).eval()
    inputs, samples = tiny_mbd.batch(2, views=3)
    with torch.no_grad():
        whole = model(inputs, copy.deepcopy(samples), mode='predict')
        alone = [
            model(
                {k: x[:, v : v + 1] for k, x in inputs.items()}, copy.deepcopy(samples), 'predict'
            )
            for v in range(3)
        ]
    for i, sample in enumerate(whole):
        mean = np.mean([views[i].pred_score.numpy() for views in alone], 0)
        np.testing.assert_allclose(sample.pred_score, mean, atol=1e-6)


def test_features_of_any_recognizer_are_fused():
    """A Recognizer2D has one view where the VTN has several."""
    tsm = dict(
        config='mmaction::recognition/tsm/'
        'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb.py',
        cls_head=dict(num_classes=tiny_mbd.CLASSES),
    )
    model = build('concat', local=tsm).eval()
    assert model.fusion_head.fc_cls.in_features == 2048 + 12
    inputs, samples = tiny_mbd.batch(2, views=3)
    inputs['local_pathway'] = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        assert model(inputs, samples, mode='predict')[0].pred_score.isfinite().all()


def test_last_features_of_nested_outputs():
    slow, fast = torch.randn(6, 5, 2, 3, 3), torch.randn(6, 4, 8, 3, 3)
    vector = last_feature((slow, [fast]), 2, 3, 'vector')
    assert vector.shape == (2, 3, 9)
    by_hand = np.concatenate([x.numpy().mean((2, 3, 4)) for x in (slow, fast)], 1)
    np.testing.assert_allclose(vector.reshape(6, 9), by_hand, atol=1e-6)
    assert torch.equal(last_feature([slow], 2, 3, 'map')[1, 0], slow[3])
    with pytest.raises(ValueError, match=r"a map must be one tensor.*'concat' or 'bilinear'"):
        last_feature((slow, fast), 2, 3, 'map')


def test_a_convolution_without_a_map_is_refused():
    with pytest.raises(ValueError, match=r'a map must be one tensor .*got shapes \[\(1, 8\)\]'):
        tiny_mbd.build(fusion_head=HEADS['conv3d'])


class ProductFusion(FusionHead):
    """A fusion of a user's own: the normalised product of the two distributions."""

    def forward(self, probs, targets=None, feats=None):
        product = probs['local'] * probs['global']
        equal = {name: torch.full_like(f[:, 0], 0.5) for name, f in probs.items()}
        return FusedScores(
            product / product.sum(1, keepdim=True), equal, self.dominances(probs, targets)
        )


def test_a_third_fusion_is_one_class_and_one_line_of_config():
    MODELS.register_module(module=ProductFusion, force=True)
    try:
        model = tiny_mbd.build(fusion_head=dict(type='mmaction_kd.ProductFusion')).eval()
    finally:
        MODELS.module_dict.pop('ProductFusion')
    inputs, samples = tiny_mbd.batch(2)
    assert 0 <= model(inputs, samples, mode='loss')['fused/top1_acc'] <= 1
    for sample in model(inputs, samples, mode='predict'):
        product = sample.local_score * sample.global_score
        torch.testing.assert_close(sample.pred_score, product / product.sum())
