"""Trained fusions of features, against the same written out in NumPy."""

import copy

import mbd_oracle
import numpy as np
import pytest
import torch

from mmaction_kd.models.heads.feature_fusion_head import FeatureFusionHead
from mmaction_kd.models.heads.feature_joins import BilinearJoin, ConcatJoin

N, V, K, D = 3, 2, 4, dict(local=5, global_=6)
JOINS = dict(
    concat=dict(type='mmaction_kd.ConcatJoin'),
    bilinear=dict(type='mmaction_kd.BilinearJoin', rank=7),
    conv3d=dict(type='mmaction_kd.Conv3dJoin', channels=8),
)
FUSIONS = tuple(JOINS)


def make(fusion, **settings):
    torch.manual_seed(0)
    head = FeatureFusionHead(K, JOINS[fusion], **settings).double()
    head.build_layers({'local': D['local'], 'global': D['global_']})
    return head.double().eval()


def make_feats(fusion, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 3, 3) if fusion == 'conv3d' else ()
    return {
        'local': torch.randn(N, V, D['local'], *shape, generator=generator, dtype=torch.float64),
        'global': torch.randn(N, V, D['global_'], generator=generator, dtype=torch.float64),
    }


def make_probs(seed=1):
    rng = np.random.default_rng(seed)
    rows = {h: rng.normal(size=(N, K)) for h in ('local', 'global')}
    return {
        h: torch.from_numpy(np.array([mbd_oracle.softmax(z) for z in zs])) for h, zs in rows.items()
    }


def affine(layer, x):
    return layer.weight.detach().numpy() @ x + layer.bias.detach().numpy()


def joined_by_hand(head, local, global_):
    """One view, in NumPy."""
    if isinstance(head.join, ConcatJoin):
        return np.concatenate([local, global_])
    if isinstance(head.join, BilinearJoin):
        x = affine(head.join.local, local) * affine(head.join.global_, global_)
        y = np.sign(x) * np.sqrt(np.abs(x) + 1e-5)
        return y / np.linalg.norm(y)
    _, t, h, w = local.shape
    both = np.concatenate([local, np.tile(global_[:, None, None, None], (1, t, h, w))])
    padded = np.pad(both, ((0, 0), (1, 1), (1, 1), (1, 1)))
    kernel, bias = (p.detach().numpy() for p in (head.join.conv.weight, head.join.conv.bias))
    total = np.zeros(len(kernel))
    for place in np.ndindex(t, h, w):
        cut = padded[(slice(None), *(slice(i, i + 3) for i in place))]
        total += np.maximum(0, (kernel * cut).sum((1, 2, 3, 4)) + bias)
    return total / (t * h * w)


@pytest.mark.parametrize('fusion', FUSIONS)
def test_scores_are_the_mean_over_views_of_the_written_out_classifier(fusion):
    head, feats, probs = make(fusion), make_feats(fusion), make_probs()
    fused = head(probs, feats=feats)
    for i in range(N):
        views = [
            mbd_oracle.softmax(
                affine(head.fc_cls, joined_by_hand(head, *(feats[h][i, v].numpy() for h in feats)))
            )
            for v in range(V)
        ]
        np.testing.assert_allclose(fused.score[i].detach(), np.mean(views, 0), atol=1e-12)
    _, w_local, w_global = mbd_oracle.eq14_15({h: p.numpy() for h, p in probs.items()})
    np.testing.assert_allclose(fused.weights['local'], w_local, atol=1e-12)
    np.testing.assert_allclose(fused.weights['global'], w_global, atol=1e-12)
    assert all(((d > 0) & (d <= 1)).all() for d in fused.dominance.values())


@pytest.mark.parametrize('fusion', FUSIONS)
def test_the_loss_is_the_cross_entropy_of_the_mean_logits(fusion):
    head, feats = make(fusion), make_feats(fusion)
    targets = torch.tensor([0, 3, 1])
    losses = head.loss(make_probs(), targets, feats)
    logits = np.array([
        np.mean([
            affine(head.fc_cls, joined_by_hand(head, *(feats[h][i, v].numpy() for h in feats)))
            for v in range(V)
        ], 0)
        for i in range(N)
    ])  # fmt: skip
    by_hand = np.mean(
        [-np.log(mbd_oracle.softmax(z)[y]) for z, y in zip(logits, targets, strict=True)]
    )
    assert losses['loss_cls'].item() == pytest.approx(by_hand, abs=1e-12)
    assert losses['top1_acc'].item() == pytest.approx((logits.argmax(1) == targets.numpy()).mean())


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('detach', [True, False])
def test_features_learn_from_the_loss_only_if_not_detached(fusion, detach):
    head = make(fusion, detach=detach).train()
    feats = {h: x.requires_grad_() for h, x in make_feats(fusion).items()}
    head.loss(make_probs(), torch.tensor([0, 3, 1]), feats)['loss_cls'].backward()
    assert all((x.grad is None) == detach for x in feats.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('fusion', FUSIONS)
def test_a_pathway_with_one_view_goes_with_each_of_the_others(fusion):
    head, feats = make(fusion), make_feats(fusion)
    feats['local'] = feats['local'][:, :1]
    repeated = dict(feats, local=torch.cat([feats['local']] * V, 1))
    torch.testing.assert_close(head.logits(feats), head.logits(repeated))
    feats['global'] = torch.cat([feats['global'], feats['global'][:, :1]], 1)
    with pytest.raises(ValueError, match=r"same number of views.*got \{'local': 2, 'global': 3\}"):
        head.logits(dict(repeated, **{'global': feats['global']}))


def test_bilinear_gradients_are_finite_where_a_feature_is_nothing():
    head = make('bilinear')
    feats = {h: torch.zeros_like(x) for h, x in make_feats('bilinear').items()}
    for layer in (head.join.local, head.join.global_):
        torch.nn.init.zeros_(layer.bias)
    head.loss(make_probs(), torch.tensor([0, 3, 1]), feats)['loss_cls'].backward()
    assert all(p.grad.isfinite().all() for p in head.parameters())


def test_half_precision_features_give_full_precision_scores():
    head = make('concat').float()
    feats = {h: x.bfloat16() for h, x in make_feats('concat').items()}
    with torch.autocast('cpu', torch.bfloat16):
        assert head(make_probs(), feats=feats).score.dtype == torch.float32


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(init_std=-1), 'init_std must be at least 0, got -1'),
        (dict(dominance=dict(space='logits')), "space='prob'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        FeatureFusionHead(K, **settings)


@pytest.mark.parametrize('join', [dict(type='Linear'), dict(type='mmaction_kd.VTN'), dict(rank=3)])
def test_what_is_no_join_is_refused(join):
    with pytest.raises(TypeError, match='join must be the config of a FeatureJoin, got'):
        FeatureFusionHead(K, join)


def test_a_head_can_be_copied_as_ema_does():
    head = make('conv3d')
    assert copy.deepcopy(head).needs_feats == head.needs_feats
