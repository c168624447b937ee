"""Where the time of a step goes: what is counted, and that it adds up. Nothing is timed here."""

import argparse

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from benchmarks import step_shares
from benchmarks.step_shares import Clock, parts_of, tflop_of
from mmengine.registry import DefaultScope
from torch import nn


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@pytest.fixture
def clock(monkeypatch):
    """A clock that advances by 1 s with each reading."""
    ticks = iter(range(1000))
    monkeypatch.setattr(step_shares.time, 'perf_counter', lambda: float(next(ticks)))
    return Clock('cpu')


def test_spans_may_hold_others(clock):
    end_step = clock.span('step')
    for _ in range(2):
        clock.span('data')()
    end_step()
    assert clock.seconds() == dict(step=[5.0], data=[1.0, 1.0])


def test_every_forward_pass_of_every_part_is_timed(clock):
    model = tiny_dtkd.build()
    for name, part in parts_of(model).items():
        clock.time_forward(name, part)
    for labels in ([0, 1], [0, 3]):  # a teacher's score counts outside its subset: both see all
        model(*tiny_dtkd.batch(labels), mode='loss')
    assert clock.seconds() == {
        'student': [1.0, 1.0], 'teacher dynamic': [1.0, 1.0], 'teacher static': [1.0, 1.0]
    }  # fmt: skip


def test_parts_are_pathways_or_student_and_teachers_or_the_model():
    mbd, dtkd = tiny_mbd.build(), tiny_dtkd.build()
    assert list(parts_of(mbd)) == ['local', 'global']
    assert list(parts_of(dtkd)) == ['student', 'teacher dynamic', 'teacher static']
    assert parts_of(dtkd.student) == dict(model=dtkd.student)


def test_operations_are_those_of_the_forward_and_the_backward_pass():
    layer = nn.Conv3d(2, 3, 3, padding=1)
    clip = torch.randn(5, 2, 4, 6, 6, requires_grad=True)
    forward = 2 * 5 * (4 * 6 * 6) * 3 * (2 * 27)
    assert tflop_of(lambda: layer(clip)) == pytest.approx(forward / 1e12)
    assert tflop_of(lambda: layer(clip).sum().backward()) == pytest.approx(3 * forward / 1e12)


def test_attention_is_counted_on_the_cpu():
    """Two products forward, five backward: the scores are computed again."""
    q, k, v = (torch.randn(2, 4, 10, 8, requires_grad=True) for _ in range(3))
    product = 2 * (2 * 4) * 10 * 10 * 8
    step = lambda: nn.functional.scaled_dot_product_attention(q, k, v)  # noqa: E731
    assert tflop_of(step) == pytest.approx(2 * product / 1e12)
    assert tflop_of(lambda: step().sum().backward()) == pytest.approx(7 * product / 1e12)


def test_shares_of_a_config_add_up(tiny_videos, tmp_path, monkeypatch):
    annotation = tmp_path / 'list.txt'
    annotation.write_text(f'{tiny_videos["long"]} 0\n{tiny_videos["other"]} 1\n')
    options = {
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.dataset.ann_file': str(annotation),
        'train_dataloader.dataset.data_prefix.video': '',
    }
    args = argparse.Namespace(
        config='configs/mbd/tiny_r3d_vtn.py', cfg_options=options, device='cpu', amp=True, steps=2,
        peak_tflops=10.0,
    )  # fmt: skip
    ((name, result),) = step_shares.run(args).items()
    assert name == 'step of tiny_r3d_vtn, batch 2'
    shares = [value for key, value in result.items() if key.endswith(' share')]
    assert sum(shares) == pytest.approx(1) and min(shares) > 0 and len(shares) == 4
    assert result['share of peak'] == pytest.approx(result['tflops'] / 10)
    assert result['peak_memory_gb'] > 0.1 and result['step_seconds'] > 0
