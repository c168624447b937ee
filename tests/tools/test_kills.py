"""A training that the launchers start, killed, interrupted or out of disk, and resumed."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest
import torch
from killed_runs import differences, outcome
from mmengine.config import Config
from tool_runs import ROOT, hear_ctrl_c, run_tool, tool_command, tool_env

from mmaction_kd.host_fixes.last_checkpoint import is_complete
from mmaction_kd.models.submodels.recognizer_config import build_recognizer

pytestmark = pytest.mark.slow

CONFIGS = dict(
    mbd='configs/mbd/tiny_r3d_vtn.py',
    bad_videos='configs/mbd/tiny_r3d_vtn_skip_bad_videos.py',
    dtkd='configs/dtkd/dtkd_tiny_slowfast.py',
    stored='configs/dtkd/dtkd_stored_tiny_slowfast.py',
)
EPOCHS = 4
SUBSETS = dict(dynamic=['drift_left', 'drift_right'], static=['red_then_blue', 'blue_then_red'])


# --- Trainings --------------------------------------------------------------------------------


def make_config(kind, demo_set, folder, processes=1, epochs=EPOCHS, validated=True):
    """A config file on the rendered set: 4 iterations an epoch, an average of the weights.

    Args:
        kind: of :data:`CONFIGS`.
        demo_set: folder of the videos.
        folder: where to.
        processes: that will train.
        epochs: to train.
        validated: after each epoch, keeping the best.
    """
    folder.mkdir(exist_ok=True)
    cfg = Config.fromfile(ROOT / CONFIGS[kind])
    train, test = cfg.train_dataloader, cfg.test_dataloader
    train.batch_size = 2 // processes
    train.num_workers, test.num_workers = 1, 0
    test.persistent_workers = False
    for loader, split in ((train, 'train'), (test, 'test')):
        data = loader.dataset.get('dataset', loader.dataset)
        data.ann_file = str(demo_set / f'{split}.txt')
        data.data_prefix = dict(video=str(demo_set / 'videos'))
    for transform in samplers(test):
        transform.num_clips = 1
    if kind in ('dtkd', 'stored'):
        give_teachers(cfg, demo_set, folder)
    cfg.train_cfg.update(max_epochs=epochs, val_begin=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint = dict(
        type='mmaction_kd.SafeCheckpointHook', interval=1, max_keep_ckpts=2
    )
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='EMAHook', momentum=0.1)]
    if validated:
        cfg.default_hooks.checkpoint.save_best = 'auto'
        cfg.val_dataloader, cfg.val_cfg = test, dict(type='ValLoop')
        cfg.val_evaluator = dict(type='AccMetric') if kind != 'mbd' else cfg.test_evaluator
    cfg.dump(folder / 'config.py')
    if kind == 'stored':
        run_tool('tools/store_teachers.py', folder / 'config.py', '--views', 2)
    return folder / 'config.py'


def samplers(node):
    """Each SampleFrames anywhere in a config."""
    if isinstance(node, dict):
        inner = [found for value in node.values() for found in samplers(value)]
        return [node, *inner] if node.get('type') == 'SampleFrames' else inner
    return [s for value in node for s in samplers(value)] if isinstance(node, list) else []


def give_teachers(cfg, demo_set, folder):
    """Teachers that know nothing, and a store for them."""
    classes = (demo_set / 'classes.txt').read_text().split()
    subsets = folder / 'subsets.json'
    subsets.write_text(json.dumps(dict(classes=classes, subsets=SUBSETS)))
    cfg.model.distill_loss.subsets = str(subsets)
    torch.manual_seed(0)
    for name, teacher in cfg.model.teachers.items():
        model, _ = build_recognizer(dict(config=teacher.config))
        teacher.checkpoint = str(folder / f'{name}.pth')
        torch.save(dict(state_dict=model.state_dict()), teacher.checkpoint)
    if 'stored_teachers' in cfg.model:
        cfg.model.stored_teachers = cfg.train_dataloader.dataset.store = str(folder / 'store')


class Training:
    """A training in processes of its own, all of which are known by a variable.

    Args:
        config: its file.
        work_dir: of the run.
        processes: 1 is tools/train.py, more go through tools/dist_train.sh.
        resume: what an earlier one left.
    """

    def __init__(self, config, work_dir, processes=1, resume=True):
        self.work_dir, self.mark = work_dir, uuid.uuid4().hex
        self.log = work_dir.parent / f'{work_dir.name}.log'
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = str(probe.getsockname()[1])
        command = ['tools/train.py', config]
        if processes > 1:
            command = ['tools/dist_train.sh', config, processes]
        command += ['--work-dir', work_dir, *['--resume'] * resume]
        with self.log.open('w') as log:
            self.launcher = subprocess.Popen(
                tool_command(*command), cwd=ROOT, env=tool_env(PORT=port, TRAINING=self.mark),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=hear_ctrl_c,
            )  # fmt: skip

    def pids(self):
        """Of all its processes, orphans too."""
        found = []
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                if self.mark.encode() in (folder / 'environ').read_bytes():
                    found.append(int(folder.name))
            except OSError:  # it has ended
                continue
        return found

    def ranks(self):
        """The processes that train, in order."""
        found = {}
        for pid in self.pids():
            try:
                environ = Path(f'/proc/{pid}/environ').read_bytes()
                parent = int(Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[1])
            except OSError:
                continue
            rank = re.search(rb'(?:^|\0)RANK=(\d+)', environ)
            if rank and parent == self.launcher.pid:
                found[int(rank.group(1))] = pid
        return [found[rank] for rank in sorted(found)]

    def wait_for(self, condition, pause=0.01):
        """Until it holds; False if the training ends before."""
        deadline = time.monotonic() + 500
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            if self.launcher.poll() is not None:
                return False
            time.sleep(pause)
        return True

    def logged(self):
        """How many iterations."""
        logs = self.work_dir.glob('*/vis_data/scalars.json')
        return sum(text.count('"iter"') for text in map(Path.read_text, logs))

    def kill(self):
        """All at once."""
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.launcher.wait()

    def finish(self):
        """To its end, which must be a good one."""
        assert self.launcher.wait(600) == 0, self.log.read_text()[-5000:]

    def assert_ended(self, seconds):
        """Nothing of it is left, and it does not say that all was well."""
        deadline = time.monotonic() + seconds
        try:
            while self.pids() and time.monotonic() < deadline:
                self.launcher.poll()
                time.sleep(0.1)
            assert self.pids() == []
            assert self.launcher.wait() != 0
        finally:
            self.kill()
        assert all(is_complete(path) for path in self.work_dir.glob('*.pth'))
        assert not list(self.work_dir.rglob('*.part'))


# --- Kills ------------------------------------------------------------------------------------


def kill_somewhere(training, moment, draw):
    """Wait for a moment, and a random time more, and kill; tells whether it had ended before."""
    before, note = training.logged(), training.work_dir / 'last_checkpoint'
    saved = note.stat().st_mtime_ns if note.exists() else 0
    more = 0.0
    if moment == 'start':
        more = draw.uniform(0, 15)
    elif moment == 'forward':
        wanted = before + draw.randint(1, 5)
        training.wait_for(lambda: training.logged() >= wanted)
        more = draw.uniform(0, 0.5)
    elif moment == 'saving':
        training.wait_for(lambda: list(training.work_dir.glob('*.pth.part')), pause=0)
    else:  # while it validates, or after that
        training.wait_for(lambda: note.exists() and note.stat().st_mtime_ns != saved, pause=0)
        more = draw.uniform(0, 1)
    time.sleep(more)
    ended = training.launcher.poll() is not None
    training.kill()
    return f'{moment} + {more:.2f} s, {training.logged() - before} iterations' + ' (over)' * ended


@pytest.mark.parametrize(
    ('kind', 'processes'), [('mbd', 1), ('mbd', 2), ('dtkd', 2), ('stored', 1)]
)
def test_killed_several_times_it_ends_as_it_would_have(kind, processes, demo_set, tmp_path):
    """Weights, their average, optimizer, best checkpoint, what was logged and counted."""
    seed = random.SystemRandom().randrange(10**6)
    draw = random.Random(seed)
    print('seed', seed)
    config = make_config(kind, demo_set, tmp_path / 'configs', processes)
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    Training(config, whole, processes, resume=False).finish()
    moments = ['start', 'forward', 'saving', 'validating']
    draw.shuffle(moments)
    for moment in moments:
        print(kill_somewhere(Training(config, cut, processes), moment, draw))
    Training(config, cut, processes).finish()
    assert differences(outcome(cut), outcome(whole)) == []


@pytest.mark.parametrize('rank', [0, 1])
def test_a_rank_that_is_killed_ends_the_training(rank, demo_set, tmp_path):
    config = make_config('mbd', demo_set, tmp_path / 'configs', 2, epochs=1000, validated=False)
    training = Training(config, tmp_path / 'work', 2)
    assert training.wait_for(lambda: training.logged() > 2)
    os.kill(training.ranks()[rank], signal.SIGKILL)
    training.assert_ended(60)


# --- Interruptions ----------------------------------------------------------------------------


@pytest.mark.parametrize('processes', [1, 2])
@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM], ids=['ctrl_c', 'sigterm'])
def test_interrupted_it_leaves_no_process(signum, processes, demo_set, tmp_path):
    """Ctrl-C reaches the terminal's group, Slurm's SIGTERM the launcher; with reader processes."""
    config = make_config(
        'bad_videos', demo_set, tmp_path / 'configs', processes, epochs=1000, validated=False
    )
    training = Training(config, tmp_path / 'work', processes)
    assert training.wait_for(lambda: training.logged() > 2)
    # Each process that trains has a worker, and that a reader.
    assert training.wait_for(lambda: len(training.pids()) >= 3 * processes)
    if signum == signal.SIGINT:
        os.killpg(training.launcher.pid, signum)
    else:
        training.launcher.send_signal(signum)
    training.assert_ended(30)


# --- A full disk ------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A small disk: mounts it, or changes its size."""
    folder = tmp_path / 'disk'
    folder.mkdir()

    def resize(size):
        options = f'{"remount," * folder.is_mount()}size={size}'
        command = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip('may not mount a disk')
        return folder

    yield resize
    if folder.is_mount():
        subprocess.run(['umount', str(folder)], check=True)


def test_a_full_disk_costs_nothing_but_time(disk, demo_set, tmp_path):
    """Two checkpoints and a half have room where three are needed for a moment."""
    config = make_config('mbd', demo_set, tmp_path / 'configs', validated=False)
    whole = tmp_path / 'whole'
    Training(config, whole, resume=False).finish()
    checkpoint = (whole / f'epoch_{EPOCHS}.pth').stat().st_size
    work_dir = disk(int(2.5 * checkpoint)) / 'work'
    full = Training(config, work_dir)
    assert full.launcher.wait() == 1
    said = full.log.read_text()
    assert re.search(r'there must be room for \S+epoch_3\.pth.* got No space left on device', said)
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_2.pth')
    left = sorted(path.name for path in work_dir.glob('*.p*'))
    assert left == ['config.py', 'epoch_1.pth', 'epoch_2.pth']
    assert all(map(is_complete, work_dir.glob('*.pth')))
    assert Training(config, work_dir).launcher.wait() == 1  # nothing was freed
    disk(4 * checkpoint)
    Training(config, work_dir).finish()
    assert differences(outcome(work_dir), outcome(whole)) == []
