"""Equations 1-4 of MBD."""

import math

import mbd_oracle
import numpy as np
import pytest
import tiny_mbd
import torch

from mmaction_kd.models.dominance import (
    PATHWAYS,
    Dominance,
    DominanceReading,
    class_distribution,
    dominance_groups,
    label_distances,
)
from mmaction_kd.registry import MODELS


def dominance_of(module, logits, targets=None):
    return module({name: module.features(z) for name, z in logits.items()}, targets)


@pytest.mark.parametrize('num_classes', [51, 101, 400])
def test_euclidean_bounds_hold_and_are_reached(num_classes):
    """P_max / P_min ≤ e^√2 whatever f is, with equality at f = e_k; D of a uniform f is 1/K."""
    f = torch.randn(2000, num_classes) * 10 ** torch.linspace(-2, 3, 2000)[:, None]
    probs = class_distribution(label_distances(f))
    assert (probs.amax(1) / probs.amin(1)).max() <= math.exp(math.sqrt(2)) + 1e-9
    bound = math.exp(math.sqrt(2)) / (math.exp(math.sqrt(2)) + num_classes - 1)
    at_label = class_distribution(label_distances(torch.eye(num_classes))).amax(1)
    assert at_label.numpy() == pytest.approx(bound, abs=1e-12)
    uniform = torch.full((1, num_classes), 1 / num_classes)
    assert class_distribution(label_distances(uniform)).amax() == pytest.approx(1 / num_classes)


def test_squared_distance_to_onehot_is_a_softmax_at_temperature_one_half():
    f = torch.randn(50, 20, dtype=torch.float64)
    probs = class_distribution(label_distances(f, metric='sqeuclidean'))
    assert torch.allclose(probs, (2 * f).softmax(1), atol=1e-12)


def test_probabilities_ignore_the_offset_of_the_logits_and_logits_do_not():
    z = {'local': torch.randn(200, 10), 'global': torch.randn(200, 10)}
    moved = {'local': z['local'] - 4, 'global': z['global']}

    def same_groups(**settings):
        module = Dominance(10, **settings)
        a, b = (dominance_groups(dominance_of(module, x))['local'] for x in (z, moved))
        return (a == b).float().mean()

    assert same_groups(space='prob') == 1
    assert same_groups(space='logits', center_logits=True) == 1
    assert same_groups(space='logits') < 0.9


def test_dominance_grows_with_confidence_on_probabilities_but_not_on_logits():
    t = torch.linspace(0, 30, 200)[:, None]
    z = {name: t * torch.eye(101)[:1] for name in PATHWAYS}
    on_probs = dominance_of(Dominance(101), z)['local']
    on_logits = dominance_of(Dominance(101, space='logits'), z)['local']
    assert (on_probs.diff() >= 0).all()
    assert on_logits.argmax() < 10  # peaks at t = 1, then falls


def test_ties_go_to_the_named_pathway():
    same = torch.tensor([0.3, 0.5])
    dominance = {'local': same, 'global': same.clone()}
    assert not dominance_groups(dominance)['local'].any()
    assert dominance_groups(dominance, tie='local')['local'].all()


def test_saturated_samples_are_ordered_as_in_float64():
    """The float32 closed form cancels when p is almost one-hot; ours must not."""
    margins = torch.linspace(12, 20, 400)
    z = torch.zeros(400, 101)
    z[:, 0] = margins
    d = dominance_of(Dominance(101), {'local': z})['local']
    assert (d.diff() > 0).all()


@pytest.mark.parametrize('normalizer', ['classes', 'batch_labels'])
def test_batch_labels_depend_on_the_batch_and_classes_do_not(normalizer):
    torch.manual_seed(0)
    z, y = {'local': torch.randn(32, 10)}, torch.randint(10, (32,))
    module = Dominance(10, normalizer=normalizer)
    whole = dominance_of(module, z, y)['local'][:8]
    part = dominance_of(module, {'local': z['local'][:8]}, y[:8])['local']
    assert torch.allclose(whole, part) == (normalizer == 'classes')


def test_a_batch_of_one_class_gives_one_over_n_with_batch_labels():
    module = Dominance(10, normalizer='batch_labels')
    d = dominance_of(module, {'local': torch.randn(8, 10)}, torch.full((8,), 3))['local']
    assert d.numpy() == pytest.approx(1 / 8)


def test_centers_follow_the_class_means_in_training_only():
    torch.manual_seed(0)
    module = Dominance(3, labels='centers', momentum=0.5)
    z = {name: torch.randn(6, 3) for name in PATHWAYS}
    y = torch.tensor([0, 0, 1, 1, 1, 1])  # class 2 is absent
    module.eval()
    dominance_of(module, z, y)
    assert torch.equal(module.local_labels, torch.eye(3))
    module.train()
    dominance_of(module, z, y)
    for name in PATHWAYS:
        p = z[name].softmax(1)
        expected = torch.stack([p[:2].mean(0), p[2:].mean(0)]) * 0.5 + torch.eye(3)[:2] * 0.5
        moved = module.get_buffer(f'{name}_labels')
        assert torch.allclose(moved[:2], expected, atol=1e-6)
        assert torch.equal(moved[2], torch.eye(3)[2])
    assert f'{PATHWAYS[0]}_labels' in module.state_dict()


def test_a_given_label_matrix_enters_the_distance(tmp_path):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(5, 5)).astype(np.float32)
    np.save(tmp_path / 'labels.npy', matrix)
    z = rng.normal(size=(9, 5))
    module = Dominance(5, labels=str(tmp_path / 'labels.npy'))
    ours = dominance_of(module, {'local': torch.from_numpy(z)})['local']
    assert ours.numpy() == pytest.approx(mbd_oracle.eq2(z, [0] * 9, labels=matrix), abs=1e-9)
    np.save(tmp_path / 'wrong.npy', matrix[:4])
    with pytest.raises(ValueError, match=r'label matrix must be \(5, 5\).*got \(4, 5\)'):
        Dominance(5, labels=str(tmp_path / 'wrong.npy'))


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(normalizer='samples'), "normalizer must be one of .*batch_labels.*got 'samples'"),
        (dict(metric='cosine'), 'metric must be one of'),
        (dict(labels='nowhere.npy'), "the path of a .npy file, got 'nowhere.npy'"),
        (dict(center_logits=True), "center_logits=True needs space='logits'"),
        (dict(tau=0), 'tau must be above 0, got 0'),
        (dict(momentum=1), r'momentum must be in \[0, 1\), got 1'),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Dominance(10, **settings)


def test_settings_that_need_labels_say_so_at_test():
    module = Dominance(10, reduce='target')
    with pytest.raises(ValueError, match='needs the true labels'):
        dominance_of(module, {'local': torch.randn(2, 10)})


class Margin(DominanceReading):
    """A reading of a user's own: the margin of the most probable class over the second."""

    def __init__(self, num_classes):
        super().__init__()

    def forward(self, feats, targets=None):
        return {name: -f.topk(2, 1).values.diff()[:, 0] for name, f in feats.items()}


def test_another_reading_is_one_class_and_one_line_of_config():
    """It decides who teaches in training, and the weights at test."""
    margin = dict(dominance=dict(type='mmaction_kd.Margin'))
    MODELS.register_module(module=Margin)
    try:
        model = tiny_mbd.build(
            distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', **margin),
            fusion_head=dict(type='mmaction_kd.AdaptiveFusionHead', **margin),
        ).eval()
    finally:
        MODELS.module_dict.pop('Margin')

    def margins(scores):
        return np.subtract(*np.sort(scores.detach().numpy(), 1)[:, [-1, -2]].T)

    inputs, samples = tiny_mbd.batch(6)
    probs = {name: z.softmax(1) for name, z in model(inputs).items()}
    local, global_ = (margins(probs[name]) for name in PATHWAYS)
    share = model(inputs, samples, mode='loss')['local/dominance_share']
    assert share.item() == pytest.approx((local > global_).mean())
    weights = [sample.local_weight for sample in model(inputs, samples, mode='predict')]
    assert weights == pytest.approx(local / (local + global_), rel=1e-5)
