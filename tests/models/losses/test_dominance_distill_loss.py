"""Equations 5-13 of MBD, and 1-4 with them, against the NumPy oracle."""

import itertools

import mbd_oracle
import numpy as np
import pytest
import torch
from autocast_types import AUTOCAST_TYPES

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.losses import DominanceDistillLoss
from mmaction_kd.models.reductions import group_mean, group_size

CHOICES = dict(
    teacher=['dominant', 'local', 'global', 'both'],
    layers=['final', 'intermediate', 'both'],
    final_align=['kl', 'mse'],
    group_reduction=['group', 'batch'],
    projection=['student', 'teacher'],
    require_teacher_correct=[False, True],
    t_squared=[True, False],
    temperature=[4.0, 1.0],
    tie=['global', 'local'],
)
DOMINANCE_CHOICES = dict(
    normalizer=['classes', 'batch_labels'],
    metric=['euclidean', 'sqeuclidean'],
    space=['prob', 'logits'],
    reduce=['max', 'target'],
    tau=[1.0, 0.5],
)


def random_batch(rng, kind):
    """Logits, features and labels; some batches have ties, an empty group, or one sample."""
    n = 1 if kind == 'single' else int(rng.integers(2, 9))
    k, dims = int(rng.integers(2, 12)), dict(local=4, **{'global': 3})
    logits = {h: rng.normal(size=(n, k)) * rng.uniform(0.1, 6) for h in PATHWAYS}
    if kind == 'tie':
        logits['global'][: n // 2 + 1] = logits['local'][: n // 2 + 1]
    if kind == 'empty':  # the local pathway knows nothing: it dominates no sample
        logits['local'] *= 1e-6
    feats = {h: rng.normal(size=(n, dims[h])) for h in PATHWAYS}
    return logits, feats, rng.integers(k, size=n), k, dims


@pytest.mark.parametrize('seed', range(10))
def test_equals_the_numpy_oracle(seed):
    """1,000 random batches under random settings, float64, within 1e-6."""
    rng = np.random.default_rng(seed)
    kinds = itertools.cycle(['plain', 'tie', 'empty', 'single'])
    for _, kind in zip(range(100), kinds, strict=False):
        defaults = rng.random() < 0.3
        settings = {} if defaults else {k: v[rng.integers(len(v))] for k, v in CHOICES.items()}
        dominance = (
            {} if defaults else {k: v[rng.integers(len(v))] for k, v in DOMINANCE_CHOICES.items()}
        )
        logits, feats, y, k, dims = random_batch(rng, kind)
        loss = DominanceDistillLoss(k, dims, dominance=dominance, **settings).double()
        ours = loss(
            {h: torch.from_numpy(z) for h, z in logits.items()},
            {h: torch.from_numpy(m) for h, m in feats.items()},
            torch.from_numpy(y),
        )

        d = {h: mbd_oracle.eq2(logits[h], y, **dominance) for h in PATHWAYS}
        groups = mbd_oracle.eq3_4(d['local'], d['global'], settings.pop('tie', 'global'))
        near_tie = (np.abs(d['local'] - d['global']) < 1e-12) & (d['local'] != d['global'])
        if near_tie.any():  # equal but for the rounding of either computation: no truth to compare
            continue
        project = {
            name: lambda v, lin=phi[0]: lin.weight.detach().numpy() @ v + lin.bias.detach().numpy()
            for name, phi in loss.projectors.items()
        }
        theirs = mbd_oracle.eq12_13(logits, feats, y, project, groups, **settings)
        assert {key for key in ours if 'loss' in key} == set(theirs)
        for key, value in theirs.items():
            assert ours[key].item() == pytest.approx(value, abs=1e-6, rel=1e-9), (key, kind)


def make_inputs(n=6, k=5, requires_grad=True):
    torch.manual_seed(0)
    logits = {h: torch.randn(n, k, requires_grad=requires_grad) for h in PATHWAYS}
    feats = {
        'local': torch.randn(n, 4, requires_grad=requires_grad),
        'global': torch.randn(n, 3, requires_grad=requires_grad),
    }
    return logits, feats, torch.randint(k, (n,))


DIMS = dict(local=4, **{'global': 3})


@pytest.mark.parametrize('projection', ['student', 'teacher'])
@pytest.mark.parametrize('final_align', ['kl', 'mse'])
@pytest.mark.parametrize(('student', 'teacher'), [PATHWAYS, PATHWAYS[::-1]])
def test_no_term_reaches_its_teacher(student, teacher, final_align, projection):
    """The gradient into the teacher's logits and features is exactly 0, into the student's not."""
    loss = DominanceDistillLoss(5, DIMS, final_align=final_align, projection=projection)
    logits, feats, y = make_inputs()
    terms = loss(logits, feats, y)
    for term, own in (('loss_final', logits), ('loss_intermediate', feats)):
        inputs = [logits[teacher], feats[teacher], own[student]]
        grads = torch.autograd.grad(
            terms[f'{student}/{term}'], inputs, retain_graph=True, allow_unused=True
        )
        assert grads[0] is None or not grads[0].any()
        assert grads[1] is None or not grads[1].any()
        assert grads[2].any()


@pytest.mark.parametrize('teacher', PATHWAYS)
def test_an_empty_group_gives_zero_with_valid_gradients(teacher):
    """Every parameter keeps its place in the graph, so DDP needs no find_unused_parameters."""
    loss = DominanceDistillLoss(5, DIMS, teacher=teacher)
    logits, feats, y = make_inputs()
    terms = loss(logits, feats, y)
    total = sum(value for key, value in terms.items() if 'loss' in key)
    total.backward()
    for tensor in (*loss.parameters(), *logits.values()):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()
    assert terms[f'{teacher}/loss_final'] == 0  # nobody teaches the teacher
    assert terms[f'{teacher}/loss_intermediate'] == 0
    assert not logits[teacher].grad.any()


@pytest.mark.parametrize('dtype', AUTOCAST_TYPES)
@pytest.mark.parametrize('temperature', [1.0, 4.0])
def test_finite_under_autocast_with_huge_logits(dtype, temperature):
    loss = DominanceDistillLoss(5, DIMS, temperature=temperature)
    logits, feats, y = make_inputs()
    huge = {h: (z.detach().sign() * 1e4).to(dtype).requires_grad_() for h, z in logits.items()}
    halves = {h: (m.detach() * 1e3).to(dtype).requires_grad_() for h, m in feats.items()}
    with torch.autocast('cpu', dtype):
        terms = loss(huge, halves, y)
    sum(value for key, value in terms.items() if 'loss' in key).backward()
    assert all(value.isfinite() for value in terms.values())
    for z in (*huge.values(), *halves.values()):
        assert z.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in loss.parameters())


def test_a_class_permutation_changes_nothing():
    loss = DominanceDistillLoss(5, DIMS).double()
    logits, feats, y = make_inputs()
    logits, feats = ({h: x.double() for h, x in part.items()} for part in (logits, feats))
    order = torch.randperm(5)
    permuted = {h: z[:, order] for h, z in logits.items()}
    a, b = loss(logits, feats, y), loss(permuted, feats, order.argsort()[y])
    for key in a:
        assert a[key].item() == pytest.approx(b[key].item(), abs=1e-9), key


def test_t_squared_keeps_the_weight_of_the_kl_term():
    """∂/∂z of the KL term: of one size for T = 1 and T = 8 with T², 50 times smaller without."""

    def size(temperature, t_squared):
        loss = DominanceDistillLoss(
            5, layers='final', temperature=temperature, t_squared=t_squared, teacher='global'
        )
        logits, _, y = make_inputs()
        loss(logits, None, y)['local/loss_final'].backward()
        return logits['local'].grad.norm().item()

    assert 0.5 < size(8.0, True) / size(1.0, True) < 2
    assert size(8.0, False) == pytest.approx(size(8.0, True) / 64, rel=1e-5)


def test_statistics():
    """Shares over groups: local dominates samples 0 and 1 and is wrong on sample 1."""
    logits = {
        'local': torch.tensor([[9.0, 0, 0], [9.0, 0, 0], [1.0, 0, 0], [1.0, 0, 0]]),
        'global': torch.tensor([[0, 1.0, 0], [0, 1.0, 0], [0, 9.0, 0], [0, 9.0, 0]]),
    }
    terms = DominanceDistillLoss(3, layers='final')(logits, None, torch.tensor([0, 1, 1, 1]))
    assert terms['local/dominance_share'] == 0.5
    assert terms['global/dominance_share'] == 0.5
    assert terms['global/teacher_wrong_share'] == 0.5  # taught by local: samples 0 and 1
    assert terms['local/teacher_wrong_share'] == 0.0


def test_group_mean_divides_by_the_group_or_the_batch():
    x, group = torch.tensor([1.0, 2.0, 6.0, 100.0]), torch.tensor([True, True, True, False])
    assert group_mean(x, group, group_size(group)) == 3
    assert group_mean(x, group, group_size(group, 'batch')) == 2.25


def test_projector_options_build_what_they_say():
    loss = DominanceDistillLoss(5, DIMS, projector=dict(hidden_dims=7, norm=True))
    kinds = [type(m).__name__ for m in loss.projectors['local_to_global']]
    assert kinds == ['Linear', 'GELU', 'Linear', 'LayerNorm']
    logits, feats, y = make_inputs()
    assert loss(logits, feats, y)['local/loss_intermediate'] > 0
    assert not DominanceDistillLoss(5, layers='final').projectors


def test_without_layers_nothing_is_distilled_but_dominance_is_told():
    logits = {name: torch.randn(6, 5, requires_grad=True) for name in ('local', 'global')}
    targets = torch.arange(6) % 5
    none = DominanceDistillLoss(5, layers='none')(logits, None, targets)
    final = DominanceDistillLoss(5, layers='final')(logits, None, targets)
    assert none == {key: value for key, value in final.items() if 'loss' not in key}
    assert {'local/dominance_share', 'global/teacher_wrong_share'} <= set(none)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(teacher='best'), "teacher must be one of .*got 'best'"),
        (dict(layers='all'), 'layers must be one of'),
        (dict(final_align='cos'), 'final_align must be one of'),
        (dict(group_reduction='sum'), 'group_reduction must be one of'),
        (dict(projection='both'), 'projection must be one of'),
        (dict(temperature=0), 'temperature must be above 0, got 0'),
        (dict(kl_weight=(1, 2, 3)), r'kl_weight must be one number or \(local, global\)'),
        (dict(mse_weight=-1), 'mse_weight must be one number .* at least 0, got -1'),
        (dict(feat_dims=None), 'needs feat_dims'),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        DominanceDistillLoss(5, **{'feat_dims': DIMS, **settings})


def test_weights_may_differ_between_the_pathways():
    logits, feats, y = make_inputs()
    torch.manual_seed(1)
    a = DominanceDistillLoss(5, DIMS)(logits, feats, y)
    torch.manual_seed(1)
    b = DominanceDistillLoss(5, DIMS, kl_weight=(0.3, 1.2))(logits, feats, y)
    assert b['local/loss_final'].item() == pytest.approx(a['local/loss_final'].item() / 2)
    assert b['global/loss_final'].item() == pytest.approx(a['global/loss_final'].item() * 2)
