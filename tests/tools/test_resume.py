"""A training that is killed and resumed continues as if nothing had happened, to the last bit."""

import json
import os
import signal
import time

import pytest
import torch
from mmengine.runner import CheckpointLoader
from tool_runs import TINY, run_tool, shrunken, start_tool

EPOCHS, KILLED_AFTER, ITERATIONS = 7, 2, 4  # epochs, epochs, a epoch: 20 iterations are left


def scalars(work_dir, start):
    """What each process logged from iteration ``start`` on, less the times, by iteration."""
    logged = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in map(json.loads, path.read_text().splitlines()):
            if line['iter'] > start:
                kept = {k: v for k, v in line.items() if k not in ('time', 'data_time', 'memory')}
                logged.setdefault(line['iter'], []).append(kept)
    return logged


def assert_same(ours, theirs, where=''):
    """Nested containers, tensors to the last bit."""
    assert type(ours) is type(theirs), where
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), where
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), where
        for key in ours:
            assert_same(ours[key], theirs[key], f'{where}.{key}')
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), where
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_same(*pair, f'{where}[{i}]')
    else:
        assert ours == theirs, where


@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_resumed_after_a_kill_is_bit_equal(demo_set, tmp_path, workers):
    """Losses of the next 20 iterations; then parameters, buffers, optimizer and schedulers."""
    options = shrunken(
        demo_set,
        train_dataloader__batch_size=2,
        train_dataloader__num_workers=workers,
        train_cfg__max_epochs=EPOCHS,
        default_hooks__checkpoint__interval=1,
        default_hooks__checkpoint__max_keep_ckpts=3,
        log_processor__window_size=1,
    )
    uninterrupted, cut = tmp_path / 'uninterrupted', tmp_path / 'cut'

    def train(work_dir, *arguments):
        return 'tools/train.py', TINY, '--work-dir', work_dir, *arguments, *options

    with open(os.devnull, 'w') as nothing:
        killed = start_tool(*train(cut), output=nothing)
    last = cut / 'last_checkpoint'
    deadline = time.monotonic() + 300
    while not (last.is_file() and f'epoch_{KILLED_AFTER}.pth' in last.read_text()):
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert killed.poll() == -signal.SIGKILL
    start = int(last.read_text().rpartition('_')[2].removesuffix('.pth')) * ITERATIONS
    assert start < EPOCHS * ITERATIONS

    run_tool(*train(uninterrupted))
    printed = run_tool(*train(cut, '--resume'))
    assert f'resumed epoch: {start // ITERATIONS}, iter: {start}' in printed

    expected, found = scalars(uninterrupted, start), scalars(cut, start)
    assert sorted(expected) == list(range(start + 1, EPOCHS * ITERATIONS + 1))
    for iteration, (line,) in expected.items():
        assert found[iteration][-1] == line
    assert len({line['local/loss_cls'] for (line,) in expected.values()}) > 1

    name = f'epoch_{EPOCHS}.pth'
    ours, theirs = (
        CheckpointLoader.load_checkpoint(str(folder / name), map_location='cpu')
        for folder in (cut, uninterrupted)
    )
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(ours[part], theirs[part], part)
