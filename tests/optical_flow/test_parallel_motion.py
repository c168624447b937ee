"""Many processes find what one finds, and none outlives its parent."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from moving_texture import DriftingVideo

from mmaction_kd.datasets.reader_process import ReaderFault, available_cores
from mmaction_kd.datasets.video_source import UnusableVideo, VideoFile
from mmaction_kd.optical_flow.video_motion import MotionSettings, parallel_motion, video_motion

SETTINGS = MotionSettings(short_side=32)


@dataclass(frozen=True)
class DyingVideo:
    """A source that takes its process with it, as a fault of a decoder does."""

    def open(self):
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class OnceDyingVideo:
    """A source whose process is killed from outside, the first time."""

    path: str

    def open(self):
        with open(self.path, 'a') as file:
            file.write('.')
        if Path(self.path).stat().st_size <= 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return DriftingVideo(1.0).open()


@dataclass(frozen=True)
class EndlessVideo:
    """A source that takes a minute."""

    path: str

    def open(self):
        Path(self.path).touch()
        time.sleep(60)


def test_every_video_once_and_as_alone():
    videos = {str(speed): DriftingVideo(speed / 4) for speed in range(6)}
    videos['none'] = VideoFile('nowhere.mp4')
    found = list(parallel_motion(videos, SETTINGS, workers=2))
    assert sorted(name for name, _ in found) == sorted(videos)
    motions = dict(found)
    reason = motions.pop('none')
    assert isinstance(reason, UnusableVideo) and 'No such file' in str(reason)
    assert motions == {name: video_motion(videos[name], SETTINGS) for name in motions}


def test_a_system_that_can_not_fork_measures_in_one_process(monkeypatch):
    videos = dict(a=DriftingVideo(1.0), b=DriftingVideo(0.5))
    expected = list(parallel_motion(videos, SETTINGS, workers=1))
    monkeypatch.delattr(os, 'fork')
    assert list(parallel_motion(videos, SETTINGS, workers=2)) == expected


@dataclass(frozen=True)
class FaultyVideo:
    """A source with a fault of ours, not of its video."""

    def open(self):
        raise ZeroDivisionError('by 0')


def test_an_error_that_is_not_of_the_video_is_raised():
    with pytest.raises(ReaderFault, match='ZeroDivisionError: by 0'):
        list(parallel_motion(dict(a=FaultyVideo()), SETTINGS, workers=1))


def test_no_videos_need_no_workers():
    assert list(parallel_motion({}, SETTINGS, workers=2)) == []


def test_a_video_that_crashes_its_process_is_the_only_one_lost():
    videos = {str(speed): DriftingVideo(speed / 4) for speed in range(5)}
    videos['1'] = DyingVideo()
    found = dict(parallel_motion(videos, SETTINGS, workers=2))
    assert str(found.pop('1')) == 'the reader ends its process (signal 9)'
    assert found == {name: video_motion(videos[name], SETTINGS) for name in '0234'}


def test_a_worker_that_was_killed_from_outside_costs_nothing(tmp_path):
    videos = dict(a=DriftingVideo(1.0), b=OnceDyingVideo(str(tmp_path / 'tries')))
    found = dict(parallel_motion(videos, SETTINGS, workers=1))
    assert found['a'] == found['b'] == video_motion(DriftingVideo(1.0), SETTINGS)
    assert (tmp_path / 'tries').read_text() == '..'


def test_who_leaves_off_waits_for_no_video(tmp_path):
    videos = dict(a=DriftingVideo(1.0), b=EndlessVideo(str(tmp_path / 'begun')))
    measured = parallel_motion(videos, SETTINGS, workers=2)
    assert next(measured)[0] == 'a'
    while not (tmp_path / 'begun').exists():
        time.sleep(0.01)
    begun = time.monotonic()
    measured.close()
    assert time.monotonic() - begun < 30
    assert multiprocessing.active_children() == []


def test_processes_of_a_launcher_share_the_cores(monkeypatch):
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(8)), raising=False)
    assert available_cores() == 8
    for processes, cores in ((2, 4), (3, 2), (9, 1)):
        monkeypatch.setenv('LOCAL_WORLD_SIZE', str(processes))
        assert available_cores() == cores


PARENT = """
from moving_texture import DriftingVideo
from mmaction_kd.optical_flow.video_motion import MotionSettings, parallel_motion

if __name__ == '__main__':
    videos = {str(i): DriftingVideo(1.0, num_frames=20) for i in range(1000)}
    for name, _ in parallel_motion(videos, MotionSettings(), 2):
        print(name, flush=True)
"""


@pytest.mark.skipif(not Path('/proc').is_dir(), reason='needs the process table of Linux')
def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / 'parent.py'
    script.write_text(PARENT)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    parent = subprocess.Popen(
        [sys.executable, '-W', 'ignore', script],
        env=os.environ | dict(PYTHONPATH=path),
        stdout=subprocess.PIPE,
        text=True,
    )
    parent.stdout.readline()
    children = Path(f'/proc/{parent.pid}/task/{parent.pid}/children').read_text().split()
    assert len(children) >= 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while any(_is_alive(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != 'Z'
