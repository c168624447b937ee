"""A rank that dies or hangs: the others end with an error, and so does what started them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_runs import ROOT, TINY, shrunken, tool_command, tool_env

MINUTE = 60
LONG = dict(train_dataloader__batch_size=2, train_cfg__max_epochs=1000)
COLLECTIVES = ('all_reduce', 'barrier', 'broadcast_object_list', 'all_gather_object')


@pytest.fixture
def port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


class Started:
    """Commands that run at once, each with its log."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []

    def start(self, *command, **env):
        path = self.folder / f'{len(self.processes)}.log'
        with open(path, 'w') as log:
            self.processes.append(
                subprocess.Popen(
                    list(map(str, command)), cwd=ROOT, env=tool_env(**env), stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )
            )  # fmt: skip

    def start_ranks(self, num, port, *command):
        """As Slurm does: nothing watches over the ranks."""
        for rank in range(num):
            self.start(
                *command, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(num),
                MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
            )  # fmt: skip

    def log(self, place=0):
        return (self.folder / f'{place}.log').read_text()

    def wait_for(self, words, place=0):
        self.until(lambda: words in self.log(place) or self.processes[place].poll() is not None)
        assert words in self.log(place), self.log(place)[-3000:]

    def until(self, done, seconds=5 * MINUTE):
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, [p.poll() for p in self.processes]
            time.sleep(0.1)

    def ended(self, *places):
        """The exit codes, all there within a minute."""
        of = [self.processes[place] for place in places]
        self.until(lambda: all(p.poll() is not None for p in of), MINUTE)
        return [p.returncode for p in of]


@pytest.fixture
def started(tmp_path):
    found = Started(tmp_path)
    yield found
    for process in found.processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def train_command(tool, demo_set, tmp_path, *own, **changes):
    return tool_command(
        tool, TINY, *own, '--work-dir', tmp_path / 'work', *shrunken(demo_set, **LONG | changes)
    )


def children(pid):
    """Processes that a process has started, and theirs."""
    found = []
    for path in Path(f'/proc/{pid}/task').glob('*/children'):
        for child in map(int, path.read_text().split()):
            found += [child, *children(child)]
    return found


def ranks_of(launcher):
    """Of torchrun's processes by rank."""
    found = {}
    for pid in children(launcher.pid):
        env = Path(f'/proc/{pid}/environ').read_bytes().split(b'\0')
        rank = next((e for e in env if e.startswith(b'RANK=')), None)
        if rank is not None:
            found.setdefault(int(rank[5:]), pid)
    return found


# --- Under torchrun -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize('victim', [0, 1])
def test_a_killed_rank_ends_a_training(victim, started, demo_set, tmp_path, port):
    """The launcher ends with an error, and no rank is left."""
    started.start(*train_command('tools/dist_train.sh', demo_set, tmp_path, 2), PORT=port)
    started.wait_for('Epoch(train)')
    (launcher,) = started.processes
    ranks = ranks_of(launcher)
    assert len(ranks) == 2
    os.kill(ranks[victim], signal.SIGKILL)
    assert started.ended(0) == [1]
    started.until(lambda: not any(Path(f'/proc/{pid}').exists() for pid in ranks.values()), MINUTE)


@pytest.mark.slow
def test_a_killed_worker_of_a_dataloader_ends_a_training(started, demo_set, tmp_path, port):
    """And nothing is left of it."""
    changes = dict(train_dataloader__num_workers=1)
    command = train_command('tools/dist_train.sh', demo_set, tmp_path, 2, **changes)
    started.start(*command, PORT=port)
    started.wait_for('Epoch(train)')
    (launcher,) = started.processes
    before = children(launcher.pid)
    workers = children(ranks_of(launcher)[1])
    assert workers
    os.kill(workers[-1], signal.SIGKILL)
    assert started.ended(0) == [1]
    assert 'DataLoader worker' in started.log()
    started.until(lambda: not any(Path(f'/proc/{pid}').exists() for pid in before), MINUTE)


@pytest.mark.slow
@pytest.mark.parametrize('tool', ['train', 'test'])
def test_an_error_in_one_rank_ends_all(tool, started, demo_set, tmp_path, port):
    """A video that only the last rank reads is not there; at test the others wait for scores."""
    split = 'train' if tool == 'train' else 'test'
    lines = (demo_set / f'{split}.txt').read_text().splitlines()
    (tmp_path / 'torn.txt').write_text('\n'.join([*lines[:-1], 'none.mp4 0']))
    changes = {f'{split}_dataloader__dataset__ann_file': tmp_path / 'torn.txt'}
    if tool == 'train':
        command = train_command('tools/dist_train.sh', demo_set, tmp_path, 2, **changes)
    else:
        checkpoint = make_checkpoint(tmp_path)
        command = tool_command(
            *('tools/dist_test.sh', TINY, checkpoint, 2, '--work-dir', tmp_path / 'work'),
            *shrunken(demo_set, **changes),
        )
    started.start(*command, PORT=port)
    started.until(lambda: started.processes[0].poll() is not None)
    assert started.ended(0) == [1]
    assert 'none.mp4' in started.log()


def make_checkpoint(folder):
    """Of the tiny config, with the weights that it starts with."""
    import torch
    from mmengine.config import Config

    from mmaction_kd.registry import MODELS

    model = MODELS.build(dict(Config.fromfile(ROOT / TINY).model, _scope_='mmaction'))
    torch.save(dict(state_dict=model.state_dict()), folder / 'start.pth')
    return folder / 'start.pth'


# --- Bare processes, as Slurm starts them ---------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize('num, victim', [(2, 0), (2, 1), (4, 2)])
def test_bare_ranks_end_with_an_error_when_one_is_killed(
    num, victim, started, demo_set, tmp_path, port
):
    command = train_command('tools/train.py', demo_set, tmp_path, train_dataloader__batch_size=1)
    started.start_ranks(num, port, *command, '--launcher', 'pytorch')
    started.wait_for('Epoch(train)')
    started.processes[victim].kill()
    assert started.ended(*(rank for rank in range(num) if rank != victim)) == [1] * (num - 1)


@pytest.mark.slow
def test_bare_ranks_end_with_an_error_when_one_hangs(started, demo_set, tmp_path, port):
    """After the timeout of env_cfg.dist_cfg: a process that is stopped keeps its connections."""
    command = train_command('tools/train.py', demo_set, tmp_path, env_cfg__dist_cfg__timeout=20)
    started.start_ranks(2, port, *command, '--launcher', 'pytorch')
    started.wait_for('Epoch(train)')
    started.processes[1].send_signal(signal.SIGSTOP)
    assert started.ended(0) == [1]
    assert 'Timed out waiting 20000ms' in started.log()


@pytest.mark.slow
def test_bare_ranks_end_with_an_error_when_one_never_comes(started, demo_set, tmp_path, port):
    """After the timeout, too."""
    command = train_command('tools/train.py', demo_set, tmp_path, env_cfg__dist_cfg__timeout=20)
    started.start(
        *command, '--launcher', 'pytorch', RANK='0', LOCAL_RANK='0', WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1', MASTER_PORT=port,
    )  # fmt: skip
    started.until(lambda: started.processes[0].poll() is not None)
    assert started.ended(0) == [1]
    assert 'imed out' in started.log()


WAIT = """
import sys, time
import torch
import mmaction_kd
from mmengine import dist
dist.init_dist('pytorch', backend='nccl', timeout=20)
dist.barrier()
print('ready', flush=True)
if dist.get_rank() == {victim}:
    time.sleep(600)
x = [torch.ones(2)] if '{name}' == 'all_reduce' else [[1]] if '{name}' == 'broadcast_object_list' \\
    else [1] if '{name}' == 'all_gather_object' else []
getattr(dist, '{name}')(*x)
dist.barrier()  # broadcasting ends when all is sent
"""


@pytest.mark.slow
@pytest.mark.parametrize('end', ['SIGKILL', 'SIGSTOP'])
@pytest.mark.parametrize('name', COLLECTIVES)
def test_each_wait_for_another_rank_ends(name, end, started, tmp_path, port):
    """At once where it is killed, after the timeout where it is stopped."""
    script = tmp_path / 'wait.py'
    script.write_text(WAIT.format(name=name, victim=1))
    started.start_ranks(3, port, sys.executable, '-W', 'ignore', script)
    for rank in range(3):
        started.wait_for('ready', rank)
    time.sleep(1)
    started.processes[1].send_signal(getattr(signal, end))
    assert started.ended(0, 2) == [1, 1]
