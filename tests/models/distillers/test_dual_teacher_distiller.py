"""DualTeacherDistiller: the student to everything outside; teachers that nothing changes."""

import copy

import pytest
import tiny_dtkd
import torch
from mmaction.structures import ActionDataSample
from mmengine.logging import MMLogger
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper
from mmengine.runner import load_checkpoint, save_checkpoint
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from tiny_dtkd import SUBSETS, batch, build, distiller_config, recognizer

from mmaction_kd.models.losses.subset_distill_loss import full_width
from mmaction_kd.registry import MODELS

MIXED = [0, 1, 3, 2, 5, 1]
ROUTED = dict(outside_score='buffer')


def plain(cfg=None):
    """A recognizer as stock MMAction2 builds it."""
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg or recognizer(), _scope_='mmaction'))
    model.init_weights()
    return model


def train(model, steps, labels=MIXED):
    """SGD on raw videos, as the runner does it; returns what was logged."""
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    model.train()
    logs = []
    for step in range(steps):
        inputs, samples = batch(labels, seed=step)
        logs.append(
            model.train_step(dict(inputs=list(60 * inputs + 110), data_samples=samples), optim)
        )
    return logs


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def bytes_of(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


# --- The student, to everything outside -------------------------------------------------------


def test_names_of_the_weights_are_the_students():
    """As torch and as MMEngine write them, in the same order, with the same versions."""
    model, stock = build(), plain()
    assert list(model.state_dict()) == list(stock.state_dict())
    assert list(get_state_dict(model)) == list(stock.state_dict())
    metadata = model.state_dict()._metadata
    assert metadata.items() >= stock.state_dict()._metadata.items()
    assert not any(name.startswith('student') for name in metadata)


def test_weights_go_to_the_stock_student_and_back():
    model, stock = build(), plain()
    train(model, 2)
    stock.load_state_dict(model.state_dict(), strict=True)
    model.eval(), stock.eval()
    inputs, samples = batch(MIXED, views=2)
    ours = model(inputs, copy.deepcopy(samples), mode='predict')
    theirs = stock(inputs, copy.deepcopy(samples), mode='predict')
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(ours, theirs, strict=True))
    other = build(seed=1)
    assert not same(bytes_of(other.student), bytes_of(stock))
    other.load_state_dict(stock.state_dict(), strict=True)
    assert same(bytes_of(other.student), bytes_of(stock))
    third = build(seed=2)
    load_state_dict(third, stock.state_dict(), strict=True)
    assert same(bytes_of(third.student), bytes_of(stock))


def test_a_foreign_weight_is_still_unexpected():
    model = build()
    state = dict(model.state_dict(), stranger=torch.zeros(1))
    with pytest.raises(RuntimeError, match='stranger'):
        model.load_state_dict(state, strict=True)


def test_checkpoint_is_no_larger_than_the_students(tmp_path):
    """At most 1.02 times, with the same optimizer: the paper's teachers would make it 3 times."""
    sizes = []
    for model in (plain(), build()):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        inputs, samples = batch(MIXED)
        losses = model(inputs, samples, mode='loss')
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        path = tmp_path / f'{type(model).__name__}.pth'
        state = dict(state_dict=get_state_dict(model), optimizer=optimizer.state_dict())
        save_checkpoint(state, str(path))
        sizes.append(path.stat().st_size)
    assert sizes[1] <= 1.02 * sizes[0]
    load_checkpoint(plain(), str(tmp_path / 'DualTeacherDistiller.pth'), strict=True)


def test_building_draws_no_random_number_that_the_student_alone_would_not():
    stock = plain()
    after_stock = torch.rand(3)
    torch.manual_seed(0)
    model = MODELS.build(distiller_config())
    model.init_weights()
    assert torch.equal(torch.rand(3), after_stock)
    assert same(bytes_of(model.student), bytes_of(stock))


@pytest.mark.parametrize('loss', [{}, ROUTED, dict(order='mixture')])
def test_without_kd_it_trains_as_the_student_alone(loss):
    """Bit for bit: losses, weights and batch statistics, with dropout."""
    stock, model = plain(), None
    torch.manual_seed(0)
    model = MODELS.build(distiller_config(loss=dict(loss, kd_weight=0.0)))
    model.init_weights()
    torch.manual_seed(1)
    theirs = train(stock, 5)
    torch.manual_seed(1)
    ours = train(model, 5)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a['loss'], b['loss']) and torch.equal(a['loss_cls'], b['loss_cls'])
        assert torch.equal(a['top1_acc'], b['top1_acc'])
    assert same(bytes_of(model), bytes_of(stock))


def test_loss_is_equation_13():
    """Each term computed apart: the head's own loss, and the loss on three models' logits."""
    model = build(distiller_config(loss=dict(kd_weight=0.3)))
    inputs, samples = batch(MIXED)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    losses = model(inputs, samples, mode='loss')
    logits = {n: t(inputs, mode='tensor', stage='head') for n, t in model.teachers.items()}
    student = model.student(inputs, mode='tensor', stage='head')
    targets = torch.tensor(MIXED)
    ce = torch.nn.functional.cross_entropy(student, targets)
    torch.testing.assert_close(losses['loss_cls'], 0.7 * ce)
    expected = model.distill_loss(student, logits, targets)
    assert losses.keys() == {'loss_cls', 'top1_acc', *expected}
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, 0.7 * ce + expected['loss_kd'])


def test_tensor_mode_is_the_students():
    model = build().eval()
    inputs, _ = batch(MIXED)
    for stage in ('backbone', 'head'):
        ours = model(inputs, stage=stage)
        assert torch.equal(ours, model.student(inputs, stage=stage))
    with pytest.raises(ValueError, match="mode must be 'loss', 'predict' or 'tensor', got 'test'"):
        model(inputs, mode='test')


def test_the_only_part_at_test_is_the_student():
    model = build(distiller_config(predict_teachers=True))
    assert model.parts() == dict(student=('student', model.student))


# --- Frozen teachers --------------------------------------------------------------------------


def test_a_teacher_is_outside_of_the_model():
    model = build()
    owned = set(model.modules()), set(model.parameters()), set(model.buffers())
    for teacher in model.teachers.values():
        for part in (teacher.backbone, teacher.cls_head):
            theirs = set(part.modules()), set(part.parameters()), set(part.buffers())
            assert all(a.isdisjoint(b) for a, b in zip(owned, theirs, strict=True))
        assert not any(p.requires_grad for p in teacher.parameters())


def test_a_teacher_says_the_same_twice_in_train_mode_and_is_never_changed():
    model = build()
    before = {name: bytes_of(teacher) for name, teacher in model.teachers.items()}
    said = []
    hooks = [
        t.cls_head.register_forward_hook(lambda _m, _i, out: said.append(out))
        for t in model.teachers.values()
    ]
    model.train()
    inputs, samples = batch(MIXED)
    for _ in range(2):
        model(inputs, samples, mode='loss')
    for hook in hooks:
        hook.remove()
    assert len(said) == 4
    assert torch.equal(said[0], said[2]) and torch.equal(said[1], said[3])
    assert not any(out.requires_grad for out in said)
    train(model, 50)
    assert not any(teacher.training for teacher in model.teachers.values())
    parts = [part for t in model.teachers.values() for part in (t.backbone, t.cls_head)]
    assert not any(module.training for part in parts for module in part.modules())
    assert all(same(bytes_of(t), before[name]) for name, t in model.teachers.items())
    assert all(p.grad is None for t in model.teachers.values() for p in t.parameters())


def test_teachers_move_with_the_model():
    model = build().double()
    assert all(p.dtype == torch.float64 for t in model.teachers.values() for p in t.parameters())


def test_ema_shares_the_teachers():
    model = build()
    averaged = ExponentialMovingAverage(model)
    assert all(averaged.module.teachers[name] is t for name, t in model.teachers.items())
    assert averaged.module.student is not model.student
    assert list(averaged.state_dict()) == ['steps', *(f'module.{n}' for n in plain().state_dict())]
    train(model, 2)
    averaged.update_parameters(model)
    assert same(
        {k: v for k, v in averaged.module.named_parameters()}, dict(model.named_parameters())
    )


# --- Who sees what ----------------------------------------------------------------------------


def seen_rows(model, labels):
    """How many videos each teacher's backbone sees in a step; a teacher that does not run: none."""
    seen = {}
    hooks = [
        t.backbone.register_forward_hook(
            lambda _m, args, _o, name=name: seen.setdefault(name, []).append(len(args[0]))
        )
        for name, t in model.teachers.items()
    ]
    model(*batch(labels), mode='loss')
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(
    'loss', [ROUTED, dict(outside_score='zero'), dict(weighting='ResponsibleTeacher')]
)
def test_routed_each_sample_goes_to_one_teacher(loss):
    model = build(distiller_config(loss=loss))
    assert seen_rows(model, MIXED) == dict(dynamic=[3], static=[3])
    assert seen_rows(model, [1, 2, 2]) == dict(static=[3])
    assert seen_rows(model, [0, 5]) == dict(dynamic=[2])


def test_unrouted_each_sample_goes_to_both():
    assert seen_rows(build(), MIXED) == dict(dynamic=[6], static=[6])


@pytest.mark.parametrize('labels', [MIXED, [1, 2, 1], [0, 3, 4, 5]])
def test_routed_results_are_those_of_both_teachers_on_every_sample(labels):
    model = build(distiller_config(loss=ROUTED)).eval()
    inputs, samples = batch(labels)
    routed = model(inputs, samples, mode='loss')
    model.distill_loss.needed = lambda y: {n: torch.ones_like(y, dtype=bool) for n in SUBSETS}
    assert seen_rows(model, labels) == {n: [len(labels)] for n in SUBSETS}
    unrouted = model(inputs, samples, mode='loss')
    for key in routed:
        torch.testing.assert_close(routed[key], unrouted[key])


# --- Teachers that are trained along (FT = False) -----------------------------------------------


def grads_of(model, labels):
    model.zero_grad()
    losses = model(*batch(labels), mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses, {n: [p.grad for p in t.parameters()] for n, t in model.teachers.items()}


def test_trained_teachers_learn_from_their_own_samples_only():
    model = build(distiller_config(frozen_teachers=False, teacher_loss_weight=0.5))
    losses, grads = grads_of(model, [0, 3, 5])
    assert losses['static/loss_teacher'] == 0 and losses['dynamic/loss_teacher'] > 0
    assert all(g is not None for name in grads for g in grads[name])  # for DDP
    assert all(not g.any() for g in grads['static'])
    assert any(g.any() for g in grads['dynamic'])
    full = build(distiller_config(frozen_teachers=False))
    torch.manual_seed(3)
    half_weight = model(*batch(MIXED), mode='loss')['dynamic/loss_teacher']
    torch.manual_seed(3)
    torch.testing.assert_close(
        2 * half_weight, full(*batch(MIXED), mode='loss')['dynamic/loss_teacher']
    )


def test_batch_statistics_of_a_trained_teacher_come_from_its_own_samples():
    model = build(distiller_config(frozen_teachers=False))
    alone = copy.deepcopy(model.teachers['static'])
    inputs, samples = batch(MIXED)
    model(inputs, samples, mode='loss')
    alone(inputs[torch.tensor([1, 3, 5])], mode='tensor', stage='backbone')
    ours = model.teachers['static']
    assert ours.training
    for (name, a), (_, b) in zip(ours.named_buffers(), alone.named_buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_bn_only_moves_statistics_and_nothing_else():
    model = build(distiller_config(frozen_teachers=False, unfrozen_objective='bn_only'))
    weights = {
        n: {k: p.clone() for k, p in t.named_parameters()} for n, t in model.teachers.items()
    }
    buffers = {n: {k: b.clone() for k, b in t.named_buffers()} for n, t in model.teachers.items()}
    logs = train(model, 2, labels=[0, 3, 5])
    assert 'dynamic/loss_teacher' not in logs[0]
    for name, teacher in model.teachers.items():
        assert same(dict(teacher.named_parameters()), weights[name])
    assert not same(dict(model.teachers['dynamic'].named_buffers()), buffers['dynamic'])
    assert same(dict(model.teachers['static'].named_buffers()), buffers['static'])


def test_trained_teachers_are_in_the_checkpoint_beside_the_student():
    model = build(distiller_config(frozen_teachers=False))
    train(model, 2)
    state = model.state_dict()
    assert set(plain().state_dict()) < set(state)
    other = build(distiller_config(frozen_teachers=False), seed=1)
    other.load_state_dict(state, strict=True)
    assert all(same(bytes_of(t), bytes_of(model.teachers[n])) for n, t in other.teachers.items())
    assert plain().load_state_dict(state, strict=False).missing_keys == []


def test_trained_teachers_say_at_test_what_the_checkpoint_made_of_them():
    """Not what they started from, which is not even looked for."""
    model = build(distiller_config(frozen_teachers=False, predict_teachers=True))
    train(model, 2)
    nowhere = {name: dict(checkpoint='nowhere.pth') for name in SUBSETS}
    cfg = distiller_config(nowhere, frozen_teachers=False, predict_teachers=True)
    other = MODELS.build(cfg)
    other.load_state_dict(model.state_dict())
    inputs, samples = batch(MIXED)
    ours, theirs = (
        m.eval()(inputs, copy.deepcopy(samples), mode='predict') for m in (other, model)
    )
    assert all(
        torch.equal(a.static_score, b.static_score) for a, b in zip(ours, theirs, strict=True)
    )


def test_a_trained_teacher_with_a_frozen_backbone_keeps_it():
    """LT with FT = False: the teacher's own config decides what of it is trained."""
    backbone = dict(recognizer()['backbone'], frozen_stages=4, norm_eval=True)
    teachers = dict(static=dict(backbone=backbone))
    model = build(distiller_config(teachers, frozen_teachers=False))
    before = bytes_of(model.teachers['static'].backbone)
    train(model, 3)
    assert same(bytes_of(model.teachers['static'].backbone), before)


# --- Prediction ---------------------------------------------------------------------------------


def test_predict_writes_what_each_teacher_says():
    """Mean over the views of the softmax over a teacher's own classes, 0 elsewhere."""
    model = build(distiller_config(predict_teachers=True)).eval()
    inputs, samples = batch(MIXED, views=3)
    predicted = model(inputs, samples, mode='predict')
    for name, teacher in model.teachers.items():
        logits = teacher(inputs, mode='tensor', stage='head').detach()
        probs = logits.softmax(1).reshape(len(MIXED), 3, -1).mean(1)
        for sample, expected in zip(predicted, probs, strict=True):
            score = sample.get(f'{name}_score')
            assert score.shape == (tiny_dtkd.CLASSES,)
            torch.testing.assert_close(score[SUBSETS[name]], expected)
            assert score.sum() == pytest.approx(1) and (score > 0).sum() == len(SUBSETS[name])


def test_predict_needs_no_teacher(monkeypatch):
    cfg = distiller_config(dict(static=dict(checkpoint='nowhere.pth')))
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    (sample,) = model(*batch([0]), mode='predict')
    assert sample.pred_score.shape == (tiny_dtkd.CLASSES,)
    assert 'static_score' not in sample
    with pytest.raises(FileNotFoundError, match='teacher static: there is no checkpoint nowhere'):
        model.init_weights()


def test_teachers_are_what_their_checkpoints_say(tmp_path):
    teachers = {}
    for seed, (name, classes) in enumerate(SUBSETS.items()):
        teacher = build(dict(recognizer(len(classes)), _scope_='mmaction'), seed=seed)
        path = str(tmp_path / f'{name}.pth')
        save_checkpoint(dict(state_dict=teacher.state_dict()), path)
        teachers[name] = dict(checkpoint=path)
    model = MODELS.build(distiller_config(teachers, predict_teachers=True)).eval()
    model(*batch([0]), mode='predict')  # loads them though nothing was initialised
    for name, teacher in model.teachers.items():
        saved = torch.load(tmp_path / f'{name}.pth')['state_dict']
        assert same(bytes_of(teacher), saved)
    assert len(set(model.teacher_hashes.values())) == 2
    for path in tmp_path.iterdir():
        path.unlink()
    model(*batch([0]), mode='predict')  # they are read once


def test_only_a_teacher_that_is_trained_may_bring_a_head_of_other_classes(tmp_path):
    teacher = build(dict(recognizer(tiny_dtkd.CLASSES), _scope_='mmaction'), seed=0)
    save_checkpoint(dict(state_dict=teacher.state_dict()), path := str(tmp_path / 'all.pth'))
    cfg = distiller_config(dict(static=dict(checkpoint=path)))
    with pytest.raises(ValueError, match=r'teacher static: .*all\.pth must hold all .*for 2 of '):
        MODELS.build(cfg).init_weights()
    MODELS.build(cfg | dict(frozen_teachers=False)).init_weights()


def test_a_teacher_without_a_checkpoint_is_warned_of(monkeypatch):
    warned = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, message: warned.append(message))
    build()
    assert [line.split(';')[0] for line in warned if line.startswith('teacher')] == [
        f'teacher {name}: no checkpoint is named' for name in ('dynamic', 'static')
    ]


def test_the_student_starts_from_its_checkpoint(tmp_path):
    stock = build(dict(recognizer(), _scope_='mmaction'), seed=5)
    path = str(tmp_path / 'student.pth')
    save_checkpoint(dict(state_dict=stock.state_dict()), path)
    model = MODELS.build(distiller_config(student=recognizer(checkpoint=path)))
    model.init_weights()
    assert same(bytes_of(model.student), bytes_of(stock))


# --- Clips of one's own, precision --------------------------------------------------------------


def test_each_teacher_gets_its_own_clips():
    model = build().eval()
    _, samples = batch(MIXED)
    inputs = {n: batch(MIXED, seed=i)[0] for i, n in enumerate(('student', 'dynamic', 'static'))}
    losses = model(inputs, samples, mode='loss')
    logits = {n: t(inputs[n], mode='tensor', stage='head') for n, t in model.teachers.items()}
    student = model.student(inputs['student'], mode='tensor', stage='head')
    expected = model.distill_loss(student, logits, torch.tensor(MIXED))
    torch.testing.assert_close(losses['loss_kd'], expected['loss_kd'])


def test_a_step_in_bfloat16():
    model = build().train()
    inputs, samples = batch(MIXED)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(inputs, samples, mode='loss')
    assert losses['loss_kd'].dtype == torch.float32 and losses['loss_kd'].isfinite()
    full = model(inputs, samples, mode='loss')
    assert losses['loss_kd'].item() == pytest.approx(full['loss_kd'].item(), rel=0.5)


def test_full_heads():
    loss = dict(teacher_head='full')
    cfg = distiller_config(loss=loss)
    cfg['teachers'] = {name: recognizer() for name in SUBSETS}
    model = build(dict(cfg, predict_teachers=True)).eval()
    inputs, samples = batch(MIXED)
    assert model(inputs, copy.deepcopy(samples), mode='loss')['loss_kd'].isfinite()
    logits = model.teachers['static'](inputs, mode='tensor', stage='head')
    expected = full_width(logits, torch.tensor(SUBSETS['static']), 6).softmax(1)
    scores = [s.static_score for s in model(inputs, samples, mode='predict')]
    torch.testing.assert_close(torch.stack(scores), expected)


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    'changes, words',
    [
        (dict(unfrozen_objective='kd'), r"unfrozen_objective must be one of \['ce', 'bn_only'\]"),
        (dict(teacher_loss_weight=-1), 'teacher_loss_weight must be at least 0, got -1'),
        (
            dict(teachers=dict(still=recognizer(2), dynamic=recognizer(4))),
            "must be {'dynamic': 4, 'static': 2} by distill_loss, got {'dynamic': 4, 'still': 2}",
        ),
        (
            dict(teachers=dict(static=recognizer(3), dynamic=recognizer(4))),
            "got {'dynamic': 4, 'static': 3}; name the teachers as its subsets, and set num_class",
        ),
    ],
)
def test_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        MODELS.build({**distiller_config(), **changes})


def test_the_users_config_stays_as_it_is():
    cfg = distiller_config()
    before = copy.deepcopy(cfg)
    MODELS.build(cfg)
    assert cfg == before


def test_another_backbone_from_the_zoo():
    """Teachers by the path of a zoo config, a 2D student: the parts need nothing of each other."""
    zoo = 'mmaction::recognition/x3d/x3d_s_13x6x1_facebook-kinetics400-rgb.py'
    tsn = (
        'mmaction::recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py'
    )
    cfg = distiller_config()
    cfg['student'] = dict(
        config=tsn, backbone=dict(pretrained=None), cls_head=dict(num_classes=6, topk=1)
    )
    cfg['teachers'] = {
        name: dict(config=zoo, cls_head=dict(num_classes=len(classes)))
        for name, classes in SUBSETS.items()
    }
    model = MODELS.build(cfg).train()
    flat, cube = torch.randn(2, 3, 3, 64, 64), torch.randn(2, 1, 3, 8, 64, 64)
    samples = [ActionDataSample().set_gt_label(y) for y in (0, 1)]
    losses = model(dict(student=flat, static=cube, dynamic=cube), samples, mode='loss')
    assert losses['loss_kd'].isfinite() and losses['loss_cls'].isfinite()
