"""Equations 14 and 15 of MBD."""

import mbd_oracle
import numpy as np
import pytest
import torch

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.heads.fusion_head import AdaptiveFusionHead


def random_probs(rng, n, k):
    logits = {h: rng.normal(size=(n, k)) * rng.uniform(0.1, 8) for h in PATHWAYS}
    return {h: np.array([mbd_oracle.softmax(z) for z in zs]) for h, zs in logits.items()}


@pytest.mark.parametrize('metric', ['euclidean', 'sqeuclidean'])
def test_equals_the_numpy_oracle(metric):
    """1,000 random batches, float64, within 1e-6."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        probs = random_probs(rng, int(rng.integers(1, 6)), int(rng.integers(2, 12)))
        head = AdaptiveFusionHead(probs['local'].shape[1], dominance=dict(metric=metric))
        fused = head({h: torch.from_numpy(p) for h, p in probs.items()})
        score, w_local, w_global = mbd_oracle.eq14_15(probs, metric=metric)
        np.testing.assert_allclose(fused.score, score, atol=1e-6)
        np.testing.assert_allclose(fused.weights['local'], w_local, atol=1e-6)
        np.testing.assert_allclose(fused.weights['global'], w_global, atol=1e-6)


@pytest.mark.parametrize('weights', ['ratio', 'softmax', 'average'])
def test_scores_and_weights_sum_to_one(weights):
    probs = random_probs(np.random.default_rng(1), 20, 10)
    fused = AdaptiveFusionHead(10, weights=weights)(
        {h: torch.from_numpy(p).float() for h, p in probs.items()}
    )
    np.testing.assert_allclose(fused.score.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(sum(fused.weights.values()), 1, atol=1e-12)
    assert fused.score.dtype == torch.float32


@pytest.mark.parametrize(('p_local', 'p_global', 'weight'), [
    (0.9, 0.3, 0.711), (0.6, 0.5, 0.537), (0.99, 0.1, 0.784),
])  # fmt: skip
def test_known_weights_at_400_classes(p_local, p_global, weight):
    """Values of the analysis of equation (15), computed elsewhere."""

    def peaked(p):
        probs = torch.full((1, 400), (1 - p) / 399)
        probs[0, 0] = p
        return probs

    fused = AdaptiveFusionHead(400)({'local': peaked(p_local), 'global': peaked(p_global)})
    assert fused.weights['local'].item() == pytest.approx(weight, abs=6e-4)


def test_softmax_of_the_dominances_is_next_to_averaging():
    """The reason why (15) is read as a ratio: |w - 1/2| ≤ 0.0019 at 400 classes."""
    sure, unsure = torch.eye(400)[:1], torch.full((1, 400), 1 / 400)
    probs = {'local': sure, 'global': unsure}
    softmax = AdaptiveFusionHead(400, weights='softmax')(probs).weights['local'].item()
    ratio = AdaptiveFusionHead(400)(probs).weights['local'].item()
    assert abs(softmax - 0.5) < 0.002
    assert ratio == pytest.approx(0.803, abs=1e-3)


@pytest.mark.parametrize('numbers', [(0.3, 0.7), (3, 7), [0.0, 2.0]])
def test_fixed_weights_are_normalised(numbers):
    probs = random_probs(np.random.default_rng(2), 5, 6)
    fused = AdaptiveFusionHead(6, weights=numbers)(
        {h: torch.from_numpy(probs[h]) for h in reversed(PATHWAYS)}  # in any order
    )
    w = np.array(numbers) / sum(numbers)
    expected = w[0] * probs['local'] + w[1] * probs['global']
    np.testing.assert_allclose(fused.score, expected, atol=1e-12)
    np.testing.assert_allclose(fused.weights['local'], [w[0]] * 5, atol=1e-12)


def test_all_weight_on_a_pathway_is_that_pathway():
    probs = {
        h: torch.from_numpy(p) for h, p in random_probs(np.random.default_rng(3), 5, 6).items()
    }
    assert torch.equal(AdaptiveFusionHead(6, weights=(1, 0))(probs).score, probs['local'])
    assert torch.equal(AdaptiveFusionHead(6, weights=(0, 1))(probs).score, probs['global'])


@pytest.mark.parametrize('weights', ['average', 'ratio', (0.3, 0.7)])
def test_the_maximum_equals_numpys(weights):
    probs = random_probs(np.random.default_rng(4), 8, 6)
    tensors = {h: torch.from_numpy(p) for h, p in probs.items()}
    fused = AdaptiveFusionHead(6, weights=weights, combine='max')(tensors)
    w = {h: fused.weights[h].numpy()[:, None] for h in PATHWAYS}
    largest = np.maximum(w['local'] * probs['local'], w['global'] * probs['global'])
    np.testing.assert_allclose(fused.score, largest / largest.sum(1, keepdims=True), atol=1e-12)
    if weights == 'average':
        best = np.maximum(probs['local'], probs['global']).argmax(1)
        assert (fused.score.argmax(1).numpy() == best).all()


def test_centers_move_with_targets_and_not_without():
    head = AdaptiveFusionHead(4, dominance=dict(labels='centers')).train()
    probs = {h: torch.rand(8, 4).softmax(1) for h in PATHWAYS}
    head(probs)
    assert torch.equal(head.dominance.local_labels, torch.eye(4))
    head(probs, torch.randint(4, (8,)))
    assert not torch.equal(head.dominance.local_labels, torch.eye(4))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(weights='max'), "weights must be one of .*got 'max'"),
        (dict(combine='mean'), "combine must be one of .*got 'mean'"),
        (dict(weights=(1, -1)), r'two numbers \(local, global\), each at least 0.*got \(1, -1\)'),
        (dict(weights=(0, 0)), 'one above, got'),
        (dict(weights=(1, 2, 3)), 'two numbers'),
        (dict(dominance=dict(reduce='target')), 'a test video has no label'),
        (dict(dominance=dict(normalizer='batch_labels')), 'a test video has no label'),
        (dict(dominance=dict(space='logits')), "space='prob'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        AdaptiveFusionHead(10, **settings)
