"""Autocast, channels last and torch.compile, alone and together: the losses stay what they are."""

import shutil

import pytest
import torch
from short_runs import make_run, train

from mmaction_kd.models.recognizers.mbd_recognizer import MBDRecognizer

METHODS = ('mbd', 'dtkd')
SGD = dict(type='SGD', lr=0.001, momentum=0.9)
AMP = dict(optim_wrapper=dict(type='AmpOptimWrapper', optimizer=SGD))  # as --amp sets it
LAYOUT = dict(hooks=[dict(type='mmaction_kd.MemoryFormatHook')])
needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ('g++', 'clang++', 'c++')),
    reason='torch.compile on the CPU needs a C++ compiler',
)


def assert_close(plain, ours, tolerance):
    """Every term of every step, relative to the sum of the plain step."""
    assert len(plain) == len(ours)
    for a, b in zip(plain, ours, strict=True):
        assert a.keys() == b.keys()
        for name in (n for n in a if 'loss' in n):
            assert b[name] == pytest.approx(a[name], abs=tolerance * a['loss']), name


@pytest.mark.parametrize('method', METHODS)
def test_losses_under_autocast_are_those_of_float32_within_two_percent(method, tmp_path):
    plain, _ = train(method, tmp_path / 'plain')
    ours, _ = train(method, tmp_path / 'amp', **AMP)
    assert_close(plain, ours, 0.02)
    assert plain != ours


@pytest.mark.parametrize('method', METHODS)
def test_every_recognizer_runs_in_half_precision(method, tmp_path):
    runner = make_run(method, tmp_path / 'amp', epochs=1, **AMP)
    seen = {}
    for name, part in parts(runner.model).items():
        part.cls_head.register_forward_hook(
            lambda _module, _args, output, name=name: seen.update({name: output.dtype})
        )
    runner.train()
    assert seen == dict.fromkeys(parts(runner.model), torch.bfloat16)
    assert all(p.dtype is torch.float32 for p in runner.model.parameters())


@pytest.mark.parametrize('method', METHODS)
def test_test_cfg_fp16_tests_under_autocast(method, tmp_path):
    """Scores stay float32, and what they were within 0.02."""
    scores = {}
    train(method, tmp_path / 'trained', epochs=1)
    for fp16 in (False, True):
        runner = make_run(
            method,
            tmp_path / f'{fp16}',
            load_from=str(tmp_path / 'trained/epoch_1.pth'),
            test_cfg=dict(fp16=fp16),
        )
        process = runner.model.test_step

        def keep(data, process=process, fp16=fp16):
            samples = process(data)
            scores.setdefault(fp16, []).extend(sample.pred_score for sample in samples)
            return samples

        runner.model.test_step = keep
        runner.test()
    plain, half = (torch.stack(scores[fp16]) for fp16 in (False, True))
    assert half.dtype is torch.float32 and len(half) == 8
    assert half.numpy() == pytest.approx(plain.numpy(), abs=0.02)
    assert not torch.equal(half, plain)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_compiled_losses_and_weights_are_those_of_a_run_that_is_not(method, tmp_path):
    """Also a checkpoint of the one resumes in the other, and the losses leave what they saw."""
    torch._dynamo.reset()
    whole, plain = train(method, tmp_path / 'plain', backbone='conv', epochs=3)
    ours, compiled = train(method, tmp_path / 'ours', backbone='conv', epochs=2, compile=True)
    assert_close(whole[:4], ours, 1e-5)
    seen = [name for name in ours[0] if name.startswith('seen ')]
    assert seen
    for a, b in zip(whole, ours, strict=False):
        assert [b[name] for name in seen] == pytest.approx([a[name] for name in seen], rel=1e-4)
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()
    rest, _ = train(method, tmp_path / 'ours', backbone='conv', epochs=3, resume=True)
    assert_close(whole[4:], rest, 1e-5)
    train(method, tmp_path / 'half', backbone='conv', epochs=2)
    rest, _ = train(method, tmp_path / 'half', backbone='conv', epochs=3, resume=True, compile=True)
    assert_close(whole[4:], rest, 1e-5)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_compiled_with_each_of_the_others(method, tmp_path):
    """Not with both: on a CPU the compiler expects oneDNN's layout of gradients, and ends."""
    for name, also, tolerance in (('amp', AMP, 0.02), ('layout', LAYOUT, 1e-4)):
        torch._dynamo.reset()
        plain, _ = train(method, tmp_path / f'plain_{name}', backbone='conv', **also)
        ours, _ = train(method, tmp_path / name, backbone='conv', compile=True, **also)
        assert_close(plain, ours, tolerance)


def parts(model):
    if isinstance(model, MBDRecognizer):
        return model.pathways
    return dict(student=model.student, **model.teachers)
