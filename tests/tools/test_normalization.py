"""tools/data/normalization.py against NumPy, on small videos."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from decord import VideoReader
from tool_runs import ROOT

CONFIG = ROOT / 'configs/dtkd/tiny_slowfast.py'
FRAMES = 5


@pytest.fixture
def listed(tiny_videos, tmp_path):
    path = tmp_path / 'videos.txt'
    path.write_text('\n'.join(f'{tiny_videos[name]} 0' for name in ('long', 'short')))
    return path


@pytest.fixture
def measure(listed, monkeypatch, capsys):
    """The tool in this process: what it printed, and what it wrote."""
    spec = importlib.util.spec_from_file_location('n', ROOT / 'tools/data/normalization.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = listed.with_name('found.json')

    def run(workers=1):
        changed = [
            f'train_dataloader.dataset.ann_file={listed}',
            'train_dataloader.dataset.data_prefix.video=',
        ]
        settings = ['--out', out, '--frames', FRAMES, '--workers', workers]
        words = ['normalization.py', CONFIG, *settings, '--cfg-options', *changed]
        monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
        tool.main()
        return capsys.readouterr().out, json.loads(out.read_text())

    return run


def expected(listed):
    """Over the frames in the middle of five equal parts of each video."""
    pixels = []
    for line in listed.read_text().splitlines():
        video = VideoReader(line.split()[0])
        parts = (np.arange(FRAMES) + 0.5) * len(video) / FRAMES
        pixels.append(video.get_batch(parts.astype(int)).asnumpy().reshape(-1, 3))
    pixels = np.concatenate(pixels).astype(float)
    return pixels.mean(0), pixels.std(0)


def test_mean_and_std_are_numpys_with_any_number_of_processes(measure, listed):
    output, found = measure()
    mean, std = expected(listed)
    assert found['mean'] == pytest.approx(mean) and found['std'] == pytest.approx(std)
    assert f'normalization = dict(mean={[round(value, 3) for value in found["mean"]]}' in output
    assert measure(3)[1] == found


def test_what_was_finished_is_not_read_again(measure, listed):
    _, found = measure()
    path = listed.read_text().split()[0]
    stat = Path(path).stat()
    line = dict(video=f'{path} {(stat.st_size, stat.st_mtime_ns)}', frames=FRAMES, pixels=1)
    partial = listed.with_name('found.json.partial')
    partial.write_text(json.dumps(dict(line, sums=[0] * 3, squares=[0] * 3)) + '\n{"cut')
    output, resumed = measure()
    assert '2 videos, 1 of them finished before' in output and resumed['mean'] != found['mean']
    assert not partial.exists()
    partial.write_text(json.dumps(dict(line, frames=9, sums=[0] * 3, squares=[0] * 3)))
    assert measure()[1] == found


def test_an_unreadable_video_is_named_and_left_out(measure, listed):
    _, found = measure()
    bad = listed.with_name('bad.mp4')
    bad.write_bytes(b'no video')
    listed.write_text(f'{listed.read_text()}\n{bad} 0')
    output, without = measure()
    assert f'unreadable: {bad}' in output
    assert without['mean'] == found['mean']
    assert [name.split()[0] for name in without['unreadable']] == [str(bad)]
