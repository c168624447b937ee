"""The benchmark is fair and writes what it found; nothing is timed here."""

import importlib.util
import itertools
import json
import sys
from collections import Counter

import pytest
import torch
from benchmarks import side_by_side
from mmengine.registry import DefaultScope
from tool_runs import ROOT, TINY

STUDENT = 'configs/dtkd/tiny_slowfast.py'


@pytest.fixture
def benchmark():
    path = ROOT / 'tools/analysis_tools/benchmark.py'
    spec = importlib.util.spec_from_file_location('tools_benchmark', path)
    module = importlib.util.module_from_spec(spec)
    with DefaultScope.overwrite_default_scope('mmaction'):
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def clock(monkeypatch):
    """Time passes only when a side runs: 2 s for ours, then 4, 6, ...; each time half as long."""
    calls, now = [], [0.0]

    def side(name, seconds):
        def run():
            calls.append(name)
            now[0] += seconds * calls.count(name)

        return run

    monkeypatch.setattr(side_by_side.time, 'perf_counter', lambda: now[0])
    return calls, side('ours', 2), side('theirs', 1)


def test_both_sides_run_equally_often_and_each_first_in_every_other_pair(clock):
    calls, ours, theirs = clock
    result = side_by_side.compare(ours, theirs, pairs=6, warmup=2)
    assert calls[:4] == ['ours', 'theirs'] * 2  # not counted
    pairs = list(zip(calls[4::2], calls[5::2], strict=True))
    assert Counter(pairs) == {('ours', 'theirs'): 3, ('theirs', 'ours'): 3}
    assert all(a != b for a, b in itertools.pairwise(pairs))
    assert result['pairs'] == 6


def test_ratio_is_of_ours_to_theirs_and_the_warm_up_is_not_in_it(clock):
    _, ours, theirs = clock
    result = side_by_side.compare(ours, theirs, pairs=5, warmup=1)
    assert result['ratio'] == 2 and result['quartiles'] == [2, 2]
    assert result['ours_seconds'] == 2 * 4  # runs 2 to 6, the median is the 4th
    assert result['theirs_seconds'] == 4


KINDS = ('decode', 'pipeline')
COMMANDS = {
    'decode': ['decode', 'VIDEO', 'OTHER', '--config', TINY],
    'dtkd-step': ['dtkd-step', '--config', STUDENT, '--frames', '16', '--size', '32'],
    'flow': ['flow', 'VIDEO', 'OTHER', '--settings', 'algorithm=dis_fast,short_side=32'],
    'mbd-step': ['mbd-step', '--config', TINY, '--batch-size', '2'],
    'precision': [
        *('precision', '--config', TINY, '--batch-size', '2'),
        *('--variants', 'amp', 'channels-last'),
    ],
    'readers': ['readers', 'VIDEO', '--config', TINY],
    'reader-watchdog': ['reader-watchdog', 'VIDEO', '--config', TINY],
    'report-hook': ['report-hook', '--config', TINY, '--batch-size', '2'],
    'stored-teachers': [
        *('stored-teachers', '--config', STUDENT, '--video', 'VIDEO', '--batch-size', '2'),
        *('--frames', '16', '--size', '32'),
    ],
    'temporal-encoder': ['temporal-encoder', '--frames', '3'],
    'vtn-step': ['vtn-step', '--arch', 'deit-t', '--size', '32', '--frames', '2'],
    'vtn-test': ['vtn-test', '--arch', 'deit-t', '--size', '32', '--crops', '1'],
}


@pytest.mark.parametrize('command', COMMANDS)
def test_writes_what_it_prints(benchmark, command, tiny_videos, tmp_path, monkeypatch, capsys):
    if command == 'temporal-encoder':
        pytest.importorskip('transformers')
    videos = dict(VIDEO=tiny_videos['long'], OTHER=tiny_videos['short'])
    arguments = [str(videos.get(word, word)) for word in COMMANDS[command]]
    out = tmp_path / 'made' / 'out.json'
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        sys, 'argv', ['benchmark.py', *arguments, '--pairs', '2', '--out', str(out)]
    )
    state = torch.get_rng_state()
    benchmark.main()
    torch.set_rng_state(state)
    written = json.loads(out.read_text())
    assert written['machine']['torch'] == torch.__version__
    assert written['machine']['device'] == 'cpu' and written['machine']['threads'] >= 1
    lines = [line for line in capsys.readouterr().out.splitlines() if ' ratio ' in line]
    assert len(lines) == len(written['results'])
    for (name, result), line in zip(written['results'].items(), lines, strict=True):
        assert line.startswith(name) and f'ratio {result["ratio"]:.3g}' in line
        assert 0 < result['quartiles'][0] <= result['quartiles'][1]
    if command == 'decode':
        expected = [f'{kind} {name}.mp4' for name in ('long', 'short') for kind in KINDS]
        assert list(written['results'])[:4] == expected
        assert [f'{kind}, median of 2 videos' for kind in KINDS] == list(written['results'])[4:]
