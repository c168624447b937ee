"""Half precision, logits up to ±1e4, and batches at the edge, against the NumPy oracles."""

import math
from contextlib import nullcontext

import dtkd_oracle
import mbd_oracle
import numpy as np
import pytest
import torch
from autocast_types import takes
from hypothesis import assume, given
from hypothesis import strategies as st
from strange_input import QUICK
from tiny_dtkd import make_loss

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.losses import DominanceDistillLoss

ROUNDING = {torch.float16: 2**-10, torch.bfloat16: 2**-7, torch.float32: 1e-5}
DIMS = dict(local=4, **{'global': 3})

batches = dict(
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from([d for d in ROUNDING if d is torch.float32 or takes(d)]),
    scale=st.sampled_from([1.0, 30.0, 1e4]),
    kind=st.sampled_from(['any', 'one class', 'equal models', 'saturated']),
    samples=st.sampled_from([1, 'classes', 7]),
    autocast=st.booleans(),
)


def random_scores(rng, shape, scale, kind, dtype):
    """A leaf in the precision in which a head leaves its scores."""
    z = rng.uniform(-scale, scale, shape)
    if kind == 'saturated':
        z = scale * np.sign(z)
    return torch.tensor(z, dtype=dtype, requires_grad=True)


def exact(tensor):
    return tensor.detach().double().numpy()


def precision(dtype, autocast):
    half = autocast and dtype is not torch.float32
    return torch.autocast('cpu', dtype) if half else nullcontext()


def log_softmax(z):
    return np.array([dtkd_oracle.log_softmax(row) for row in z])


@QUICK
@given(**batches, classes=st.sampled_from([1, 2, 5]))
def test_mbd_is_its_oracle_in_value_and_gradient(
    seed, dtype, scale, kind, samples, autocast, classes
):
    rng = np.random.default_rng(seed)
    n = classes if samples == 'classes' else samples
    y = np.zeros(n, int) if kind == 'one class' else rng.integers(classes, size=n)
    logits = {h: random_scores(rng, (n, classes), scale, kind, dtype) for h in PATHWAYS}
    if kind == 'equal models':
        logits['global'] = logits['local'].detach().clone().requires_grad_()
    feats = {h: random_scores(rng, (n, d), 100.0, kind, dtype) for h, d in DIMS.items()}
    loss = DominanceDistillLoss(classes, DIMS, temperature=4.0)
    with precision(dtype, autocast):
        terms = loss(logits, feats, torch.from_numpy(y))
    sum(value for key, value in terms.items() if 'loss' in key).backward()

    z, m = {h: exact(logits[h]) for h in PATHWAYS}, {h: exact(feats[h]) for h in PATHWAYS}
    d = {h: mbd_oracle.eq2(z[h], y) for h in PATHWAYS}
    assume(not ((np.abs(d['local'] - d['global']) < 1e-12) & (d['local'] != d['global'])).any())
    groups = mbd_oracle.eq3_4(d['local'], d['global'])
    for s, t in mbd_oracle.OTHER.items():
        group, size = groups[t], max(1, len(groups[t]))
        log_q = {h: log_softmax(z[h] / 4) for h in PATHWAYS}
        kl = sum(dtkd_oracle.kl(log_q[t][i], log_q[s][i]) for i in group) / size
        got = terms[f'{s}/loss_final'].item()
        assert got == pytest.approx(0.6 * kl, rel=1e-5, abs=1e-5 * scale)

        gradient = np.zeros_like(z[s])
        gradient[group] = 0.6 / 4 * (np.exp(log_q[s]) - np.exp(log_q[t]))[group] / size
        tolerance = dict(rtol=ROUNDING[dtype], atol=max(ROUNDING[dtype], 1e-6 * scale))
        np.testing.assert_allclose(exact(logits[s].grad), gradient, **tolerance)

        weight, bias = (exact(p) for p in loss.projectors[f'{s}_to_{t}'].parameters())
        mse = sum(mbd_oracle.eq7(m[t][i], weight @ m[s][i] + bias) for i in group) / size
        assert terms[f'{s}/loss_intermediate'].item() == pytest.approx(0.4 * mse, rel=1e-4)
        assert feats[s].grad.isfinite().all()


@QUICK
@given(**batches, bskd=st.booleans(), classes=st.sampled_from([2, 3, 6]))
def test_dtkd_is_its_oracle_in_value_and_gradient(
    seed, dtype, scale, kind, samples, autocast, bskd, classes
):
    rng = np.random.default_rng(seed)
    n = classes if samples == 'classes' else samples
    y = np.full(n, classes - 1) if kind == 'one class' else rng.integers(classes, size=n)
    teachers = dict(dynamic=list(range(1, classes)), static=[0])
    student = random_scores(rng, (n, classes), scale, kind, dtype)
    said = {
        name: random_scores(rng, (n, len(own)), scale, kind, dtype)
        for name, own in teachers.items()
    }
    if kind == 'equal models':
        said = {name: student.detach()[:, own].clone() for name, own in teachers.items()}
    loss = make_loss(classes, teachers, 'ResponsibleTeacher' if bskd else 'HybridScore')
    with precision(dtype, autocast):
        terms = loss(student, said, torch.from_numpy(y))
    terms['loss_kd'].backward()

    z, zt = exact(student), {name: exact(value) for name, value in said.items()}
    scores = dtkd_oracle.eq5_8(zt, y, teachers, classes)
    cross_entropies = {
        name: [
            -dtkd_oracle.log_softmax(zt[name][i])[own.index(c)] for i, c in enumerate(y) if c in own
        ]
        for name, own in teachers.items()
    }
    # of nearly equal ones the order is that of the rounding in either computation
    assume(
        all(not ce or max(ce) == min(ce) or np.ptp(ce) > 1e-9 for ce in cross_entropies.values())
    )
    _, kd = dtkd_oracle.eq13(z, zt, y, teachers, classes, bskd=bskd)
    assert terms['loss_kd'].item() == pytest.approx(kd, rel=1e-5, abs=1e-5 * scale)

    gradient = np.zeros_like(z)
    for i, label in enumerate(y):
        owner = 'static' if label == 0 else 'dynamic'
        w = 1.0 if bskd else dtkd_oracle.eq9({t: s[i] for t, s in scores.items()}, owner)[owner]
        log_q = dtkd_oracle.eq3(zt[owner][i], teachers[owner], classes, 'subset', -math.inf, 2.0)
        p = np.exp(dtkd_oracle.log_softmax(z[i] / 2))
        gradient[i] = 0.4 * 2 * w * (p - np.exp(log_q)) / n
    tolerance = dict(rtol=ROUNDING[dtype], atol=max(ROUNDING[dtype], 1e-6 * scale))
    np.testing.assert_allclose(exact(student.grad), gradient, **tolerance)
    assert all(value.isfinite() for value in terms.values())


def test_teachers_that_are_sure_keep_their_order():
    """Cross-entropies of 1e-9 and less, which are all 0 in float32, set the weights by (7)."""
    teachers, y = dict(dynamic=[0, 1], static=[2]), [0, 0, 0]
    said = dict(dynamic=np.array([[20.0, 0], [22, 0], [24, 0]]), static=np.zeros((3, 1)))
    found = make_loss(3, teachers)(
        torch.zeros(3, 3),
        {name: torch.tensor(z, dtype=torch.float32) for name, z in said.items()},
        torch.tensor(y),
    )
    _, kd = dtkd_oracle.eq13(np.zeros((3, 3)), said, y, teachers, 3)
    assert found['loss_kd'].item() == pytest.approx(kd, rel=1e-5)
    scores = dtkd_oracle.eq5_8(said, y, teachers, 3)['dynamic']
    assert scores == pytest.approx([0.3, 0.92, 1], abs=0.01)
