"""Truth: a loop over gates and videos."""

import numpy as np
import pytest

from mmaction_kd.evaluation.gate_curve import cheapest_gate, gate_curve


def made_up(rng, videos=60, classes=5, ties=False):
    labels = rng.choice([0, 1, 3, 4], videos)  # class 2 has no video
    local, fused = (rng.dirichlet(np.ones(classes), videos) for _ in range(2))
    dominance = rng.uniform(0.2, 0.6, videos)
    return labels, local, fused, dominance.round(2 if ties else 9)


def looped(labels, local, fused, dominance, gate):
    """Share, top-1 and mean-class accuracy at one gate."""
    right, seen = [], 0
    for i, label in enumerate(labels):
        below = dominance[i] < gate
        seen += below
        right.append((fused if below else local)[i].argmax() == label)
    right = np.array(right)
    by_class = [right[labels == k].mean() for k in range(local.shape[1]) if (labels == k).any()]
    return seen / len(labels), right.mean(), np.mean(by_class)


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('seed', range(5))
def test_equals_the_loop(seed, ties):
    data = made_up(np.random.default_rng(seed), ties=ties)
    curve = gate_curve(*data)
    assert len(curve.gates) == len(np.unique(data[3])) + 1
    for gate, *found in zip(*curve, strict=True):
        assert found == pytest.approx(looped(*data, gate))
    given = np.array([0.0, 0.21, 0.4, 0.4, 0.99])
    for gate, *found in zip(*gate_curve(*data, given), strict=True):
        assert found == pytest.approx(looped(*data, gate))


def test_every_share_that_can_be_had_is_there():
    labels, local, fused, dominance = made_up(np.random.default_rng(7), videos=4)
    dominance[:] = [0.3, 0.2, 0.3, np.nextafter(0.3, 1)]  # neighbours with no number between
    curve = gate_curve(labels, local, fused, dominance)
    assert curve.share.tolist() == [0, 0.25, 0.75, 1]
    assert (curve.gates >= 0).all() and (curve.gates <= 1).all()


@pytest.mark.parametrize('metric', ['top1', 'mean1'])
@pytest.mark.parametrize('tolerance', [0.0, 0.03])
def test_the_chosen_gate_is_the_cheapest_good_one(metric, tolerance):
    for seed in range(20):
        data = made_up(np.random.default_rng(seed))
        curve = gate_curve(*data)
        chosen = cheapest_gate(curve, metric, tolerance)
        column = 1 if metric == 'top1' else 2
        all_pass = looped(*data, 1.0)[column]
        good = [looped(*data, gate)[column] >= all_pass - tolerance - 1e-9 for gate in curve.gates]
        assert good[chosen] and not any(good[:chosen])
