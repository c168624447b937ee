"""Tools as jobs that can be killed: what they write, their processes, and those that are left."""

import os
import random
import signal
import subprocess
import textwrap
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import tiny_store
from mmengine.registry import DefaultScope
from tool_runs import ROOT, hear_ctrl_c, tool_command, tool_env

LAUNCHER = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone')
MARK = 'MMACTION_KD_TEST_JOB'
STUDY = """
    title = 'Commands'
    metric, baseline, seeds = 'acc/top1', 'a', [0, 1, 2]
    arms = dict(
        a=dict(command='{python} {here}/measure.py {folder} {seed} 1'),
        b=dict(command='{python} {here}/measure.py {folder} {seed} 2', options=dict(x='{a.config}'))
    )
    figures = [dict(kind='bars', title='Bars', metrics=['acc/top1', 'acc/mean1'])]
"""
MEASURE = """
import json, pathlib, sys, time
folder, seed, arm = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
time.sleep(0.5)
values = {'acc/top1': arm / (seed + 3), 'acc/mean1': arm / (seed + 4)}
folder.joinpath('metrics.json').write_text(json.dumps(values))
"""
# Makes the moments long in which something is half-written.
SLOW_WRITES = """
import os, time

def slowed(function):
    def called(*arguments, **options):
        time.sleep(0.1)
        return function(*arguments, **options)
    return called

os.fsync, os.replace = slowed(os.fsync), slowed(os.replace)
"""


@dataclass
class Job:
    """A tool on data that is there.

    Args:
        command: see ``tool_command``; the place of the output is added.
        out: option that names it.
        name: of the output, a file or a folder, in a folder of its own.
        written: part of that folder whose files a finished job leaves, to compare.
    """

    command: tuple
    out: str
    name: str
    written: str = '*'
    python: tuple = ()
    _marks: list = field(default_factory=list)

    def start(self, folder: Path, output=subprocess.DEVNULL, **env: str) -> subprocess.Popen:
        """Start it, as a shell does: in a process group of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        script, *arguments = self.command
        command = tool_command(script, *arguments, self.out, folder / self.name)
        place = command.index(str(script))
        command = [*command[:place], *self.python, *command[place:]]
        self._marks.append(f'{MARK}={uuid.uuid4().hex}')
        env = tool_env(**dict([self._marks[-1].split('=')]), **env)
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True, text=True,
            preexec_fn=hear_ctrl_c,
        )  # fmt: skip

    def run(self, folder: Path, code: int | None = 0) -> str:
        """Run it to its end; returns what it printed."""
        with self.start(folder, subprocess.PIPE) as process:
            printed, _ = process.communicate(timeout=600)
        assert code is None or process.returncode == code, printed[-4000:]
        return printed

    def left(self) -> list[int]:
        """Processes of all that was started and still are there, whoever their parent is."""
        marks = [mark.encode() for mark in self._marks]
        found = []
        for place in Path('/proc').glob('[0-9]*'):
            try:
                environment = (place / 'environ').read_bytes().split(b'\0')
                state = (place / 'stat').read_text().rpartition(')')[2].split()[0]
            except OSError:
                continue
            if state != 'Z' and any(mark in environment for mark in marks):
                found.append(int(place.name))
        return found

    def kill(self, dice: random.Random) -> None:
        """SIGKILL to every process, one after the other, in any order."""
        while left := self.left():
            dice.shuffle(left)
            for pid in left:
                _kill(pid)

    def files(self, folder: Path) -> dict[str, bytes]:
        """What a finished job has written, by name."""
        paths = [path for path in folder.glob(self.written) if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    def wait_for_a_write(self, folder: Path, process: subprocess.Popen, after: dict) -> None:
        """Until something in the folder is another than it was, or the process ends."""
        deadline = time.monotonic() + 240
        while state(folder) == after and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def assert_none_is_left(self, seconds: float) -> None:
        """Within so many seconds from now."""
        deadline = time.monotonic() + seconds
        while left := self.left():
            named = [Path(f'/proc/{pid}/cmdline').read_bytes().split(b'\0') for pid in left]
            assert time.monotonic() < deadline, named
            time.sleep(0.1)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def state(folder: Path) -> dict:
    """Which files are there, how long and from when."""
    found = {}
    for path in folder.rglob('*'):
        try:
            stat = path.stat()
        except OSError:
            continue
        if path.is_file() and path.name != '.lock' and path.suffix != '.lock':
            found[path] = (stat.st_size, stat.st_mtime_ns)
    return found


def slow_writes(folder: Path) -> dict[str, str]:
    """Environment of a job in which each write takes a tenth of a second longer."""
    folder.mkdir(exist_ok=True)
    (folder / 'sitecustomize.py').write_text(SLOW_WRITES)
    return dict(PYTHONPATH=str(folder))


def store_job(videos: dict, folder: Path, processes: int, workers: int) -> Job:
    """Storing what two teachers say, in a minute's share of time."""
    folder.mkdir()
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = tiny_store.dataset_config(videos, folder)
        model = tiny_store.model_config(tiny_store.teacher_checkpoints(folder))
    wrapped = dict(type='mmaction_kd.StoredTeacherViews', dataset=data, store='nowhere')
    cfg = tiny_store.training_config(model, wrapped, folder / 'work')
    cfg.train_dataloader.num_workers = workers
    cfg.dump(folder / 'config.py')
    launched = processes > 1
    return Job(
        ('tools/store_teachers.py', folder / 'config.py', '--views', 150, '--shards', 3,
         *(('--launcher', 'pytorch') if launched else ())),
        '--out', 'store', written='store/*', python=LAUNCHER if launched else (),
    )  # fmt: skip


def flow_job(demo_set: Path, workers: int) -> Job:
    """Measuring the motion of eight videos."""
    data = (demo_set / 'train.txt', '--videos', demo_set / 'videos')
    named = ('--classes', demo_set / 'classes.txt', '--workers', workers)
    return Job(('tools/data/optical_flow_subsets.py', *data, *named), '--out', 'subsets.json')


def check_job(demo_set: Path) -> Job:
    """Decoding eight videos."""
    data = (demo_set / 'train.txt', '--videos', demo_set / 'videos', '--workers', 2)
    return Job(('tools/data/check_videos.py', *data), '--out', 'bad_videos.json')


def study_job(folder: Path) -> Job:
    """Six runs of half a second, and their report."""
    folder.mkdir()
    (folder / 'study.py').write_text(textwrap.dedent(STUDY))
    (folder / 'measure.py').write_text(MEASURE)
    command = ('tools/study.py', folder / 'study.py', '--jobs', 2)
    return Job(command, '--work-dir', 'work', written='work/report/*')
