"""The tool that makes the subsets, as a user calls it, kills it, and calls it again."""

import contextlib
import importlib.util
import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import decord
import pytest
from tool_runs import ROOT, TINY, shrunken, start_tool, tool_command, tool_env

from mmaction_kd.datasets.video_source import VideoFile
from mmaction_kd.optical_flow.video_motion import MotionSettings, video_motion

TOOL = 'tools/data/optical_flow_subsets.py'
QUICK = ('--short-side', 48)
CLASSES = ['drift_left', 'drift_right', 'red_then_blue', 'blue_then_red']


def command(folder, out, *arguments):
    """The tool on the rendered set, with its annotation file."""
    data = (folder / 'train.txt', '--videos', folder / 'videos', '--classes')
    return TOOL, *data, folder / 'classes.txt', '--out', out, *QUICK, *arguments


def call(tool, *arguments):
    """The tool in this process, which imports once what takes seconds.

    Returns:
        What it printed.
    """
    spec = importlib.util.spec_from_file_location('optical_flow_subsets', ROOT / tool)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setenv('LOCAL_RANK', '0')
        patch.chdir(ROOT)
        patch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        module.main()
    return printed.getvalue()


def written(out):
    """Content of all that lies beside an --out, by name."""
    return {path.name: path.read_bytes() for path in out.parent.iterdir()}


@pytest.fixture(scope='module')
def clean(demo_set, tmp_path_factory):
    """What a run with one worker writes, and what it prints."""
    out = tmp_path_factory.mktemp('clean') / 'subsets.json'
    return out, call(*command(demo_set, out, '--workers', 1))


def test_what_moves_is_dynamic(clean):
    out, printed = clean
    found = json.loads(out.read_text())
    assert found['classes'] == CLASSES
    # Q1 of four lies between the lowest and the next.
    (static,) = found['subsets']['static']
    assert static in CLASSES[2:]
    assert found['subsets']['dynamic'] == [name for name in CLASSES if name != static]
    means = found['motion']['class_means']
    assert min(means[name] for name in CLASSES[:2]) > 2 * max(means[name] for name in CLASSES[2:])
    assert found['motion']['unit'] == 'pixels per frame at short side 48'
    names = list(found['motion']['videos'])
    assert names == sorted(names) and len(names) == 8
    assert all(name.endswith('.mp4') and name.split('/')[0] in CLASSES for name in names)
    assert f'static (1): {static}\n' in printed
    row = found['motion']['statistics']['overall']
    numbers = ' | '.join(f'{row[key]:.3f}' for key in ('q1', 'mean', 'std', 'iqr'))
    assert f'\noverall | 4 | {numbers}\n' in printed


def test_nothing_but_the_result_is_left(clean):
    out, _ = clean
    files = written(out)
    assert sorted(files) == ['subsets.json', 'subsets_histogram.png', 'subsets_mean_std.png']
    assert files['subsets.json'].endswith(b'}\n')
    for name in ('subsets_histogram.png', 'subsets_mean_std.png'):
        height, width, _ = cv2.imread(str(out.parent / name)).shape
        assert height > 500 and width > 900


def kill_and_go_on(demo_set, out, after, *arguments):
    """Kill a run once so many videos are in the journal, and start it again.

    Returns:
        How many videos the journal held, and what the second run printed.
    """
    journal = out.with_name(f'{out.name}.partial')
    with open(os.devnull, 'w') as nothing:
        killed = start_tool(*command(demo_set, out, *arguments), output=nothing)

    def lines():
        return sum(path.read_bytes().count(b'\n') for path in journal.glob('*.jsonl'))

    deadline = time.monotonic() + 120
    while lines() < after:
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(random.random() * 0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert killed.poll() == -signal.SIGKILL
    assert not out.exists()
    return lines(), call(*command(demo_set, out, *arguments))


def test_killed_and_started_again(clean, demo_set, tmp_path):
    """To the same bytes as the clean run's, with two workers as with its one."""
    out = tmp_path / 'subsets.json'
    finished, printed = kill_and_go_on(demo_set, out, 2, '--workers', 2)
    assert 2 <= finished <= 8  # a busy machine may see the kill late
    assert f'8 videos, {finished} of them finished before' in printed
    assert written(out) == written(clean[0])


@pytest.mark.slow
@pytest.mark.parametrize('after', [0, 1, 3, 4, 5])
def test_killed_at_any_time(clean, demo_set, tmp_path, after):
    out = tmp_path / 'subsets.json'
    kill_and_go_on(demo_set, out, after)
    assert written(out) == written(clean[0])


@pytest.mark.slow
def test_two_processes_of_a_launcher(clean, demo_set, tmp_path):
    """Also where a run of one process has begun."""
    out = tmp_path / 'subsets.json'
    journal = tmp_path / 'subsets.json.partial'
    launcher = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone')
    arguments = command(demo_set, out, '--launcher', 'pytorch', '--workers', 1)
    launched = subprocess.run(
        [sys.executable, '-W', 'ignore', *launcher, *map(str, arguments)],
        cwd=ROOT,
        env=tool_env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert launched.returncode == 0, launched.stdout[-4000:]
    assert launched.stdout.count('8 videos, 0 of them finished before') == 1  # rank 0 alone
    assert '4/4, ' in launched.stdout  # its share
    assert written(out) == written(clean[0]) and not journal.exists()


@pytest.mark.slow
def test_two_processes_of_slurm(clean, demo_set, tmp_path):
    """With what Slurm sets, on a machine without it."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = str(sock.getsockname()[1])
    out = tmp_path / 'subsets.json'
    arguments = command(demo_set, out, '--launcher', 'slurm', '--workers', 1)
    ranks = []
    for rank in '01':
        slurm = dict(SLURM_PROCID=rank, SLURM_LOCALID=rank, SLURM_NTASKS='2', SLURM_NODELIST='n')
        env = tool_env(**slurm, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
        ranks.append(subprocess.Popen(tool_command(*arguments), cwd=ROOT, env=env))
    assert [process.wait(300) for process in ranks] == [0, 0]
    assert written(out) == written(clean[0])


# --- In this process --------------------------------------------------------------------------


def test_a_config_is_as_good_as_its_annotation_file(clean, demo_set, tmp_path):
    out = tmp_path / 'subsets.json'
    options = shrunken(demo_set, train_dataloader__dataset__metainfo__classes=CLASSES)
    call(TOOL, TINY, '--out', out, *QUICK, *options)
    assert written(out) == written(clean[0])


def test_another_threshold_reuses_what_is_measured(clean, demo_set, tmp_path, monkeypatch):
    out = tmp_path / 'subsets.json'
    monkeypatch.setattr('mmaction_kd.datasets.reader_process.ReaderProcess.send', None)
    arguments = ('--reuse', clean[0], '--threshold', 'rank:2')
    printed = call(*command(demo_set, out, *arguments))
    assert '8 videos, 8 of them finished before' in printed
    found, earlier = (json.loads(path.read_text()) for path in (out, clean[0]))
    assert found['subsets'] == dict(dynamic=CLASSES[:2], static=CLASSES[2:])
    assert found['motion']['videos'] == earlier['motion']['videos']
    assert found['motion']['threshold']['rule'] == 'rank:2'
    with pytest.raises(SystemExit, match=r"--reuse must be of the settings .*'stride': 2"):
        call(*command(demo_set, out, *arguments, '--stride', 2))


def test_quick_settings_reach_every_worker(demo_set, tmp_path):
    out = tmp_path / 'subsets.json'
    quick = ('--algorithm', 'farneback', '--short-side', 0, '--pair-stride', 7)
    call(*command(demo_set, out, *quick, '--workers', 2))
    settings = MotionSettings('farneback', short_side=0, pair_stride=7)
    motion = json.loads(out.read_text())['motion']
    assert motion['settings'] == settings.recorded()
    assert motion['unit'] == 'pixels per frame at the size of the files'
    videos = {name: VideoFile(str(demo_set / 'videos' / name)) for name in motion['videos']}
    assert len(videos) == 8
    assert motion['videos'] == {name: video_motion(videos[name], settings) for name in videos}


def test_what_other_settings_left_is_not_taken(clean, demo_set, tmp_path):
    out, alone = tmp_path / 'out/subsets.json', ('--workers', 1)
    with pytest.raises(ValueError, match='both subsets must have classes'):
        call(*command(demo_set, out, *alone, '--pair-stride', 4, '--threshold', '1e9'))
    assert len((tmp_path / 'out/subsets.json.partial/rank_0.jsonl').read_text().splitlines()) == 8
    printed = call(*command(demo_set, out, *alone))
    assert '8 videos, 0 of them finished before' in printed
    assert written(out) == written(clean[0])


@pytest.fixture
def bad_set(demo_set, tmp_path):
    """The set, with bad videos among the good."""
    folder = tmp_path / 'bad_set'
    shutil.copytree(demo_set, folder)
    good = (folder / 'train.txt').read_text()
    (folder / 'videos/empty.mp4').touch()
    (folder / 'videos/broken.mp4').write_text('no video')
    (folder / 'train.txt').write_text(f'gone.mp4 0\nempty.mp4 1\n{good}broken.mp4 2\n')
    return folder


def test_bad_videos_are_listed_and_skipped(clean, bad_set, tmp_path):
    out = tmp_path / 'out/subsets.json'
    printed = call(*command(bad_set, out, '--workers', 2))
    skipped = {
        'broken.mp4': 'the file can not be decoded',
        'empty.mp4': 'the file is empty',
        'gone.mp4': 'the file: No such file or directory',
    }
    found, of_good = (json.loads(path.read_text()) for path in (out, clean[0]))
    assert found['motion'].pop('skipped') == skipped
    assert of_good['motion'].pop('skipped') == {}
    assert found == of_good
    assert '3 of 11 videos are unusable and were skipped:' in printed
    assert all(f'  {name}: {reason}' in printed for name, reason in skipped.items())


def test_frames_on_disk_are_as_good_as_the_video(clean, demo_set, tmp_path):
    lines = []
    for line in (demo_set / 'train.txt').read_text().splitlines():
        name, label = line.split()
        folder = tmp_path / 'frames' / Path(name).with_suffix('')
        folder.mkdir(parents=True)
        video = decord.VideoReader(io.BytesIO((demo_set / 'videos' / name).read_bytes()))
        for t in range(len(video)):
            frame = video[t].asnumpy()[..., ::-1]
            cv2.imwrite(str(folder / f'{t + 1:03}.png'), frame, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        lines.append(f'{Path(name).with_suffix("")} {len(video)} {label}\n')
    (tmp_path / 'frames.txt').write_text(''.join(lines))
    out = tmp_path / 'out/subsets.json'
    data = ('--frames', tmp_path / 'frames', '--filename-tmpl', '{:03}.png')
    call(TOOL, tmp_path / 'frames.txt', *data, '--out', out, *QUICK)
    found, of_videos = (json.loads(path.read_text())['motion'] for path in (out, clean[0]))
    assert {f'{name}.mp4': motion for name, motion in found['videos'].items()} == of_videos[
        'videos'
    ]
    # Without names of the classes their labels are the names.
    assert list(found['class_means'].items()) == [
        (str(label), mean) for label, mean in enumerate(of_videos['class_means'].values())
    ]


# --- What a user may get wrong ----------------------------------------------------------------


@pytest.mark.parametrize('arguments, words', [
    (['a.json'], 'ANN_OR_CONFIG must end in .py or .txt, got a.json'),
    (['a.txt'], r'its folder in one of --videos and --frames, a .py in neither, got \[\]'),
    (['a.txt', '--videos', 'v', '--frames', 'f'], r"in neither, got \['v', 'f'\] for a.txt"),
    (['a.py', '--videos', 'v'], r"in neither, got \['v'\] for a.py"),
    (['a.txt', '--videos', 'v', '--cfg-options', 'a=1'], '--cfg-options must be for a config'),
    (['a.py', '--out', 'b.txt'], '--out must end in .json, got b.txt'),
    (['a.py', '--workers', '0'], '--workers must be 1 or more, got 0'),
])  # fmt: skip
def test_command_line(capsys, arguments, words):
    with pytest.raises(SystemExit, match='2'):
        call(TOOL, '--out', 'o.json', *arguments)
    printed = ' '.join(capsys.readouterr().err.split())
    assert re.search(words, printed)


def test_a_config_without_a_data_set(tmp_path):
    (tmp_path / 'no.py').write_text('model = dict()\n')
    with pytest.raises(
        SystemExit, match=r'must have a train_dataloader\.dataset, got none in .*no'
    ):
        call(TOOL, tmp_path / 'no.py', '--out', tmp_path / 'o.json')


def test_one_name_for_two_videos(tmp_path):
    (tmp_path / 'a.txt').write_text('a.mp4 0\n')
    one, other = (
        dict(type='VideoDataset', ann_file=str(tmp_path / 'a.txt'), data_prefix=dict(video=folder))
        for folder in ('x', 'y')
    )
    dataset = dict(type='ConcatDataset', datasets=[one, other])
    (tmp_path / 'two.py').write_text(f'train_dataloader = dict(dataset={dataset})\n')
    with pytest.raises(SystemExit, match=r"must mean one video, got a\.mp4 .*'x/a.*'y/a"):
        call(TOOL, tmp_path / 'two.py', '--out', tmp_path / 'o.json')
