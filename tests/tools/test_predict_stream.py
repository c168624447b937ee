"""The tool on real files: what it prints and leaves, and Ctrl-C."""

import csv
import json
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tool_runs import ROOT, hear_ctrl_c, run_tool, tool_command, tool_env

from mmaction_kd.registry import MODELS
from mmaction_kd.streaming import FrameSource

TOOL, STUDENT = 'tools/predict_stream.py', 'configs/dtkd/tiny_slowfast.py'
FILES = ['segments.csv', 'timeline.png', 'windows.csv', 'windows.jsonl']


@pytest.fixture(scope='module')
def student(tmp_path_factory):
    """A stock config of MMAction2 and a checkpoint of random weights."""
    path = tmp_path_factory.mktemp('student') / 'student.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(Config.fromfile(ROOT / STUDENT).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return STUDENT, path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def windows(folder):
    return [json.loads(line) for line in (folder / 'windows.jsonl').read_text().splitlines()]


def test_a_folder_of_videos_one_of_them_broken(student, tiny_videos, tmp_path):
    folder, out, truth = tmp_path / 'videos', tmp_path / 'out', tmp_path / 'truth.csv'
    folder.mkdir()
    shutil.copy(tiny_videos['long'], folder / 'a.mp4')
    (folder / 'b.mp4').write_text('no video')
    shutil.copy(tiny_videos['short'], folder / 'c.mp4')
    truth.write_text('start,end,class\n0,2.4,0\n')
    options = ('--every', 0.4, '--window', 1.2, '--high', 0, '--low', 0)
    output = run_tool(
        *(TOOL, *student, folder, '--out', out, '--annotate', '--truth', truth, *options), code=1
    )
    assert f'predict_stream: {folder}/b.mp4 must be a video that can be read' in output
    assert f'{folder}/a.mp4: 0:02 of 0:02, 4 windows, ' in output and ' x real time' in output
    assert re.search(rf'in {out}/c\nF1 0.000 at IoU 0.5, precision 0.000, recall 0.000', output)
    assert names(out) == ['a', 'c'] and names(out / 'a') == sorted([*FILES, 'annotated.mp4'])
    spans = [(line['start'], line['end']) for line in windows(out / 'a')]
    assert spans == [(0, 1.2), (0.4, 1.6), (0.8, 2.0), (1.2, 2.4)]
    rows = list(csv.DictReader((out / 'a/windows.csv').open()))
    assert [float(row['score_1']) for row in rows] == [
        line['top'][0]['score'] for line in windows(out / 'a')
    ]
    assert [(line['start'], line['end']) for line in windows(out / 'c')] == [(0, 0.4)]
    segments = list(csv.DictReader((out / 'a/segments.csv').open()))
    assert (segments[0]['start'], segments[-1]['end']) == ('0.00', '2.40')


def test_progress_counts_the_windows_that_are_skipped():
    """Of a live stream whose frames wait already."""
    progress = runpy.run_path(str(ROOT / TOOL))['Progress']
    late = iter([True, False, True])
    shown = progress(FrameSource('0', 25, lambda: iter(()), late=lambda: next(late)))
    assert [shown.skip() for _ in range(3)] == [True, False, True]
    shown.add(61.0)
    assert shown.line().startswith('1:01, 1 windows, 2 skipped as the model is late, ')


@pytest.mark.parametrize(
    ('options', 'output'),
    [
        (('no.mp4',), 'predict_stream: the source must be a file, .* got no.mp4'),
        (('VIDEO', '--low', '0.9'), r'low must be in \[0, 0.5\], got 0.9'),
        (('VIDEO', '--every', '0'), 'every must be above 0, got 0'),
        (('VIDEO', '--classes', 'no.txt'), 'classes must be a file .* got no.txt'),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    student, tiny_video, options, output, tmp_path, monkeypatch, capsys
):
    options = [str(tiny_video) if option == 'VIDEO' else option for option in options]
    words = [ROOT / TOOL, ROOT / student[0], student[1], *options, '--out', tmp_path / 'out']
    monkeypatch.setattr(sys, 'argv', list(map(str, words)))
    with DefaultScope.overwrite_default_scope('mmaction'), pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / TOOL), run_name='__main__')
    printed = capsys.readouterr()
    assert re.search(output, f'{ended.value} {printed.err}')
    assert 'segments' not in printed.out  # nothing was read, so none were sought
    assert not (tmp_path / 'out').exists()


def test_ctrl_c_leaves_complete_files(student, tiny_video, tmp_path):
    """A folder of one video, many times: hours of it."""
    folder, out = tmp_path / 'frames', tmp_path / 'out'
    folder.mkdir()

    ok, frame = cv2.VideoCapture(str(tiny_video)).read()
    assert ok
    cv2.imwrite(str(folder / '0.png'), frame)
    for number in range(1, 6000):
        (folder / f'{number}.png').symlink_to(folder / '0.png')
    command = tool_command(TOOL, *student, folder, '--out', out, '--every', 0.2, '--annotate')
    job = subprocess.Popen(
        command,
        cwd=ROOT,
        env=tool_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (
        (out / 'windows.jsonl').is_file() and len((out / 'windows.jsonl').read_text()) > 2000
    ):
        time.sleep(0.1)
    job.send_signal(signal.SIGINT)
    output, _ = job.communicate(timeout=120)
    assert job.returncode == 130, output
    assert f'predict_stream: stopped; the results so far are in {out}.' in output
    assert 'Traceback' not in output
    assert names(out) == sorted([*FILES, 'annotated.mp4'])
    rows = list(csv.DictReader((out / 'windows.csv').open()))
    assert 5 < len(windows(out)) == len(rows) < 1000
