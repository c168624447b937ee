"""Losses and fusions refuse what would be broadcast or counted wrongly."""

import pytest
import torch
from tiny_dtkd import make_loss

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads import AdaptiveFusionHead, FeatureFusionHead
from mmaction_kd.models.losses import DominanceDistillLoss

K = N = 4  # soft labels (N, K) beside classes (N,) broadcast
SUBSETS = dict(dynamic=[0, 1, 2], static=[3])


def mbd(targets, width=K):
    logits = {name: torch.randn(N, width) for name in PATHWAYS}
    return DominanceDistillLoss(K, layers='final')(logits, {}, targets)


def dtkd(targets, width=K, weighting='HybridScore'):
    said = {name: torch.randn(N, len(own)) for name, own in SUBSETS.items()}
    return make_loss(K, SUBSETS, weighting)(torch.randn(N, width), said, targets)


def bskd(targets, width=K):
    return dtkd(targets, width, 'ResponsibleTeacher')


def fusion(targets, width=K, kind=AdaptiveFusionHead):
    probs = {name: torch.rand(N, width).softmax(1) for name in PATHWAYS}
    head = kind(K)
    if kind is FeatureFusionHead:
        head.build_layers(dict.fromkeys(PATHWAYS, 3))
    return head.loss(probs, targets, {name: torch.randn(N, 1, 3) for name in PATHWAYS})


def trained_fusion(targets, width=K):
    return fusion(targets, width, FeatureFusionHead)


ALL = pytest.mark.parametrize('component', [mbd, dtkd, bskd, fusion, trained_fusion])


@ALL
def test_as_many_samples_as_classes_are_no_soft_labels(component):
    terms = component(torch.arange(K))
    assert all(value.shape == () and value.isfinite() for value in terms.values())


@ALL
@pytest.mark.parametrize(
    ('targets', 'got'),
    [
        (torch.eye(K), r'torch.float32 of shape \(4, 4\)'),
        (torch.zeros(N), r'torch.float32 of shape \(4,\)'),
    ],
)
def test_soft_labels_are_refused(component, targets, got):
    with pytest.raises(ValueError, match=rf'one class index a sample, \(N,\), got {got}; a soft'):
        component(targets)


@ALL
@pytest.mark.parametrize('label', [-1, K])
def test_a_label_that_is_no_class_is_refused(component, label):
    with pytest.raises(ValueError, match=rf'classes of 0\.\.3, got {label} for sample 2; num_cl'):
        component(torch.tensor([0, 1, label, 2]))


@ALL
def test_scores_over_other_classes_are_refused(component):
    with pytest.raises(ValueError, match=r'must be of shape \(4, 4\), .*, got \(4, 5\)'):
        component(torch.arange(K), width=K + 1)


@ALL
def test_scores_of_another_batch_are_refused(component):
    with pytest.raises(ValueError, match=r'must be of shape \(3, 4\), .*, got \(4, 4\)'):
        component(torch.arange(N - 1))
