"""Equations 2-13 of DTKD against the NumPy oracle, and the truths that pin its algebra."""

import itertools
import math

import dtkd_oracle
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from autocast_types import AUTOCAST_TYPES
from tiny_dtkd import make_loss

from mmaction_kd.models.losses.hybrid_score import min_max

BSKD = 'ResponsibleTeacher'
SHARED = dict(
    kd_weight=[0.4, 0.0, 1.0],
    kd_temperature=[2.0, 1.0, 8.0],
    t_squared=[True, False],
    reduction=['batchmean', 'mean', 'subset'],
)
SCORE = dict(
    s_alpha=[0.3, 0.7, 0.0, 1.0],
    order=['normalise_then_zero', 'zero_then_normalise', 'mixture'],
    outside_score=['teacher', 'buffer', 'zero'],
    renormalise=[False, True],
    ce_norm_degenerate=[0.0, 0.5],
    conf_temperature=['kd', 1],
)
HEADS = [
    dict(),
    dict(teacher_head='full'),
    dict(teacher_head='full', mask_value=None),
    dict(mask_value=-30.0),
]
TEACHERS = dict(static=[5, 1], dynamic=[0, 4, 2, 3])  # in the order of the heads' outputs
K = 6
READINGS = [  # of C.3, and the teachers that a sample needs
    (dict(), False),
    (dict(outside_score='buffer'), True),
    (dict(outside_score='zero'), True),
    (dict(order='zero_then_normalise'), True),
    (dict(renormalise=True), True),
    (dict(order='mixture'), False),
    (dict(ce_norm_scope='batch', teacher_head='full', mask_value=None), False),
    (
        dict(outside_score='buffer', ce_norm_scope='batch', teacher_head='full', mask_value=None),
        False,
    ),
]


def pick(rng, choices):
    return {key: values[rng.integers(len(values))] for key, values in choices.items()}


def random_teachers(rng, k):
    """Two or three subsets in any order of the classes."""
    count = int(rng.integers(2, min(k, 3) + 1))
    cuts = np.sort(rng.choice(np.arange(1, k), count - 1, replace=False))
    parts = np.split(rng.permutation(k), cuts)
    return {name: part.tolist() for name, part in zip('abc', parts, strict=False)}


def random_batch(rng, kind, head):
    """Logits and labels; some batches have no, one or only equal samples of the first subset."""
    n, k = int(rng.integers(1, 9)), int(rng.integers(3, 12))
    teachers = random_teachers(rng, k)
    first, others = teachers['a'], [c for name in teachers if name != 'a' for c in teachers[name]]
    y = rng.integers(k, size=n)
    if kind in ('none', 'one'):
        y = rng.choice(others, size=n)
    if kind == 'one':
        y[0] = first[0]
    if kind == 'equal':
        y[:] = first[0]
    z_teachers = {
        name: rng.normal(size=(n, k if head == 'full' else len(classes))) * rng.uniform(0.1, 6)
        for name, classes in teachers.items()
    }
    if kind == 'equal':
        for z in z_teachers.values():
            z[:] = z[0]
    return rng.normal(size=(n, k)) * rng.uniform(0.1, 6), z_teachers, y, teachers, k


def as_tensors(z_student, z_teachers, y):
    return (
        torch.from_numpy(z_student),
        {name: torch.from_numpy(z) for name, z in z_teachers.items()},
        torch.from_numpy(np.asarray(y)),
    )


@pytest.mark.parametrize('seed', range(10))
def test_equals_the_numpy_oracle(seed):
    """1,000 random batches under random settings, float64, within 1e-6; BSKD among them."""
    rng = np.random.default_rng(seed)
    kinds = itertools.cycle(['plain', 'none', 'one', 'equal'])
    for _, kind in zip(range(100), kinds, strict=False):
        defaults, bskd = rng.random() < 0.2, rng.random() < 0.1
        settings = {} if defaults else pick(rng, SHARED) | HEADS[rng.integers(len(HEADS))]
        if not defaults and rng.random() < 0.5:
            finite = settings.get('mask_value', -math.inf) != -math.inf
            settings |= dict(kl_direction='student_teacher') if finite else dict(log_w_term=True)
        score = {} if defaults or bskd else pick(rng, SCORE)
        if score and settings.get('mask_value', 0) is None and rng.random() < 0.5:
            score['ce_norm_scope'] = 'batch'
        head = settings.get('teacher_head', 'subset')
        z_student, z_teachers, y, teachers, k = random_batch(rng, kind, head)

        loss = make_loss(k, teachers, BSKD if bskd else 'HybridScore', **settings, **score)
        s, t, labels = as_tensors(z_student, z_teachers, y)
        kd = loss(s, t, labels)['loss_kd'].item()
        total, expected = dtkd_oracle.eq13(
            z_student, z_teachers, y, teachers, k, bskd=bskd, **settings, **score
        )
        case = (kind, settings, score)
        assert kd == pytest.approx(expected, abs=1e-6, rel=1e-9), case
        ce = F.cross_entropy(s, labels).item()
        assert kd + loss.ce_weight * ce == pytest.approx(total, abs=1e-6, rel=1e-9), case


def make_inputs(n=8, requires_grad=False, static=3, full=False):
    """float64 logits of a student and of both teachers; the first ``static`` samples are static."""
    torch.manual_seed(0)
    width = {name: K if full else len(classes) for name, classes in TEACHERS.items()}

    def logits(d):
        return (3 * torch.randn(n, d, dtype=torch.float64)).requires_grad_(requires_grad)

    z_student = logits(K)
    z_teachers = {name: logits(d) for name, d in width.items()}
    owners = ['static'] * static + ['dynamic'] * (n - static)
    y = torch.tensor([TEACHERS[name][i % len(TEACHERS[name])] for i, name in enumerate(owners)])
    return z_student, z_teachers, y


def is_full(settings):
    return settings.get('teacher_head') == 'full'


@pytest.mark.parametrize('s_alpha', [0.3, 0.0])
@pytest.mark.parametrize(
    'reading',
    [dict(order='zero_then_normalise'), dict(renormalise=True), dict(outside_score='zero')],
)
def test_zero_then_normalise_is_bskd_bit_for_bit(reading, s_alpha):
    """(i), with a worst sample whose score is 0 (s_alpha=0)."""
    for static in (0, 1, 3, 8):
        batch = make_inputs(static=static)
        ours = make_loss(K, TEACHERS, s_alpha=s_alpha, **reading)(*batch)
        theirs = make_loss(K, TEACHERS, BSKD)(*batch)
        assert set(ours) == set(theirs)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize(('reading', 'routed'), READINGS)
def test_autograd_equals_the_formula(reading, routed):
    """(ii): ∂L_total/∂z_i = (1/B) [α T w_i (p_T − q) + (1−α)(p_1 − onehot)]."""
    z, t, y = make_inputs(full=is_full(reading))
    z.requires_grad_()
    loss = make_loss(K, TEACHERS, **reading)
    (loss(z, t, y)['loss_kd'] + loss.ce_weight * F.cross_entropy(z, y)).backward()

    settings = {key: v for key, v in reading.items() if key not in ('order', 'renormalise')}
    arrays = {name: v.numpy() for name, v in t.items()}
    scores = dtkd_oracle.eq5_8(arrays, y.tolist(), TEACHERS, K, **settings)
    head, mask = reading.get('teacher_head', 'subset'), reading.get('mask_value', -math.inf)
    for i, label in enumerate(y.tolist()):
        owner = next(name for name, classes in TEACHERS.items() if label in classes)
        w = dtkd_oracle.eq9(
            {name: s[i] for name, s in scores.items()},
            owner,
            reading.get('order', 'normalise_then_zero'),
            reading.get('renormalise', False),
        )
        w_q = sum(
            w[name] * np.exp(dtkd_oracle.eq3(arrays[name][i], classes, K, head, mask, 2.0))
            for name, classes in TEACHERS.items()
        )
        row = z[i].detach().numpy()
        p_t, p_1 = np.exp(dtkd_oracle.log_softmax(row / 2)), np.exp(dtkd_oracle.log_softmax(row))
        kd = 0.4 * 2 * (sum(w.values()) * p_t - w_q)
        expected = (kd + 0.6 * (p_1 - np.eye(K)[label])) / len(y)
        assert z.grad[i].numpy() == pytest.approx(expected, abs=1e-12)


def test_log_w_term_gives_the_value_of_the_literal_kl_div():
    """(iii): KLDivLoss(log p, w q, batchmean) = mean_i [w KL(q‖p) + w log w]."""
    z, t, y = make_inputs()
    loss = make_loss(K, TEACHERS, log_w_term=True, kd_weight=1.0, t_squared=False)
    masks = loss.responsible(y)
    full = {name: torch.full((len(y), K), -math.inf).double() for name in TEACHERS}
    for name, classes in TEACHERS.items():
        full[name][:, classes] = t[name]
    w = loss.weighting(full, masks, y, 2.0)
    q_final = sum(w[name][:, None] * (full[name] / 2).softmax(1) for name in TEACHERS)
    literal = F.kl_div((z / 2).log_softmax(1), q_final, reduction='batchmean')
    assert loss(z, t, y)['loss_kd'].item() == pytest.approx(literal.item(), abs=1e-12)
    assert 0 < sum(w.values()).min() < sum(w.values()).max() < 1


@pytest.mark.parametrize(('reading', 'routed'), READINGS)
def test_no_gradient_reaches_a_teacher(reading, routed):
    """(iv) Through the soft targets or through the weights."""
    z, t, y = make_inputs(requires_grad=True, full=is_full(reading))
    make_loss(K, TEACHERS, **reading)(z, t, y)['loss_kd'].backward()
    assert z.grad.any()
    assert all(logits.grad is None for logits in t.values())


@pytest.mark.parametrize('static', [0, 1, 8])
@pytest.mark.parametrize('reduction', ['batchmean', 'subset'])
@pytest.mark.parametrize(('reading', 'routed'), READINGS)
def test_finite_when_a_subset_has_no_or_one_sample(reading, routed, reduction, static):
    """(v) Value and gradient, also of the teachers' own losses; an empty subset gives exactly 0."""
    z, t, y = make_inputs(requires_grad=True, static=static, full=is_full(reading))
    loss = make_loss(K, TEACHERS, reduction=reduction, **reading)
    terms = loss(z, t, y) | loss.teacher_losses(t, y)
    assert all(value.isfinite() for value in terms.values())
    sum(value for key, value in terms.items() if 'loss' in key).backward()
    assert all(x.grad.isfinite().all() for x in (z, *t.values()))
    for name, share in dict(static=static / 8, dynamic=1 - static / 8).items():
        assert terms[f'{name}/share'] == share
        if share == 0:
            assert terms[f'{name}/loss_teacher'] == 0
            assert terms[f'{name}/weight'] == 0
            assert not t[name].grad.any()


@pytest.mark.parametrize(('reading', 'routed'), READINGS)
def test_a_class_permutation_changes_nothing(reading, routed):
    """(vi) In the student, in full heads, and in the lists of the subsets."""
    z, t, y = make_inputs(full=is_full(reading))
    order = torch.randperm(K)  # new class j is the old class order[j]
    new = order.argsort()
    teachers = {name: new[classes].tolist() for name, classes in TEACHERS.items()}
    moved = {name: v[:, order] for name, v in t.items()} if is_full(reading) else t
    a = make_loss(K, TEACHERS, **reading)(z, t, y)
    b = make_loss(K, teachers, **reading)(z[:, order], moved, new[y])
    for key in a:
        assert a[key].item() == pytest.approx(b[key].item(), abs=1e-12), key


@pytest.mark.parametrize(('reading', 'routed'), READINGS)
def test_a_sample_needs_only_the_teachers_that_it_is_said_to_need(reading, routed):
    """(vii) Rows that are not needed may hold NaN; where all are needed, every row counts."""
    z, t, y = make_inputs(full=is_full(reading))
    loss = make_loss(K, TEACHERS, **reading)
    assert loss.weighting.routed == routed
    needed = loss.needed(y)
    assert sum(int(mask.sum()) for mask in needed.values()) == len(y) * (1 if routed else 2)
    whole = loss(z, t, y)
    routed_logits = {n: v.masked_fill(~needed[n][:, None], math.nan) for n, v in t.items()}
    assert all(torch.equal(a, b) for a, b in zip(
        whole.values(), loss(z, routed_logits, y).values(), strict=True))  # fmt: skip
    if not routed:
        others = {n: torch.where(loss.responsible(y)[n][:, None], v, 0) for n, v in t.items()}
        assert whole['loss_kd'] != loss(z, others, y)['loss_kd']


def test_an_unfrozen_teacher_learns_from_its_own_samples_only():
    _, t, y = make_inputs(requires_grad=True)
    loss = make_loss(K, TEACHERS)
    losses = loss.teacher_losses(t, y)
    sum(losses.values()).backward()
    for name, mask in loss.responsible(y).items():
        local = torch.tensor([TEACHERS[name].index(c) for c in y[mask].tolist()])
        expected = F.cross_entropy(t[name][mask], local)
        assert losses[f'{name}/loss_teacher'].item() == pytest.approx(expected.item())
        assert t[name].grad[mask].any(1).all()
        assert not t[name].grad[~mask].any()


@pytest.mark.parametrize('dtype', AUTOCAST_TYPES)
@pytest.mark.parametrize('head', HEADS)
def test_finite_under_autocast_with_huge_logits(head, dtype):
    z, t, y = make_inputs(full=is_full(head))
    z, *rest = ((x.sign() * 3e4).to(dtype) for x in (z, *t.values()))
    z.requires_grad_()
    with torch.autocast('cpu', dtype):
        terms = make_loss(K, TEACHERS, **head)(z, dict(zip(t, rest, strict=True)), y)
    terms['loss_kd'].backward()
    assert all(value.isfinite() for value in terms.values())
    assert z.grad.isfinite().all()


def test_min_max():
    x = torch.tensor([1.0, 3.0, 2.0, math.inf])
    scope = torch.tensor([True, True, True, False])
    assert min_max(x, scope).tolist() == [0, 1, 0.5, 1]
    assert min_max(x, scope & (x == 2), degenerate=0.25).tolist() == [1, 1, 0.25, 1]
    assert min_max(x, scope & (x == 9)).tolist() == [1, 1, 1, 1]


def test_min_max_is_taken_over_all_ranks(monkeypatch):
    """Rank 0 holds CE 1 and 2, another rank 0 and 4."""

    def all_reduce(ends, op):
        assert op == 'min'
        ends.copy_(torch.minimum(ends, torch.tensor([0.0, -4.0])))

    monkeypatch.setattr('mmaction_kd.models.losses.hybrid_score.all_reduce', all_reduce)
    found = min_max(torch.tensor([1.0, 2.0]), torch.tensor([True, True]))
    assert found.tolist() == [0.25, 0.5]


def test_statistics():
    """Static: two of four samples, one wrong; weights as the table of C.3 for buffer says."""
    z, t, _ = make_inputs(n=4)
    y = torch.tensor([5, 1, 0, 2])
    t['static'] = torch.tensor([[9.0, 0], [9.0, 0], [0, 0], [0, 0]]).double()
    terms = make_loss(K, TEACHERS, outside_score='buffer', kd_temperature=1.0)(z, t, y)
    conf = 1 / (1 + math.exp(-9))
    best, worst = 0.3 * conf + 0.7, 0.3 * conf
    expected = (best / (best + 0.7) + worst / (worst + 0.7)) / 2
    assert terms['static/share'] == 0.5
    assert terms['static/wrong_share'] == 0.5
    assert terms['static/weight'].item() == pytest.approx(expected)


def test_the_loss_adds_nothing_to_a_checkpoint():
    assert not make_loss(K, TEACHERS).state_dict()


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(order='first'), "order must be one of .*got 'first'"),
        (dict(outside_score='one'), 'outside_score must be one of'),
        (dict(ce_norm_scope='epoch'), 'ce_norm_scope must be one of'),
        (dict(conf_temperature=3), 'conf_temperature must be one of'),
        (dict(teacher_head='half'), 'teacher_head must be one of'),
        (dict(kl_direction='both'), 'kl_direction must be one of'),
        (dict(reduction='sum'), 'reduction must be one of'),
        (dict(s_alpha=1.5), r's_alpha must be in \[0, 1\], got 1.5'),
        (dict(ce_norm_degenerate=-1), r'ce_norm_degenerate must be in \[0, 1\], got -1'),
        (dict(kd_weight=2), r'kd_weight must be in \[0, 1\], got 2'),
        (dict(kd_temperature=0), 'kd_temperature must be above 0, got 0'),
        (dict(mask_value=None), "mask_value=None needs teacher_head='full'"),
        (dict(kl_direction='student_teacher'), 'needs soft targets without zeros'),
        (
            dict(kl_direction='student_teacher', mask_value=-9.0, log_w_term=True),
            "log_w_term=True needs kl_direction='teacher_student'",
        ),
        (dict(ce_norm_scope='batch'), "ce_norm_scope='batch' needs mask_value=None"),
        (dict(subsets=dict(static=[0, 1], dynamic=[1, 3, 4])), r'none for \[2, 5\], several'),
        (dict(subsets=dict(static=[0, 1, 2], dynamic=[2, 3, 4, 5])), r'several for \[2\]'),
        (dict(subsets=dict(all=range(6))), "at least two subsets with classes, got {'all': 6}"),
        (dict(subsets=dict(static=[], dynamic=range(6))), 'at least two subsets with classes'),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        make_loss(K, **{'subsets': TEACHERS, **settings})


def test_a_head_of_another_width_is_refused_by_name():
    z, t, y = make_inputs(full=True)
    with pytest.raises(ValueError, match=r"teacher 'static' must have 2 outputs .*got 6"):
        make_loss(K, TEACHERS)(z, t, y)
