"""Runs of commands that take milliseconds; the real launcher is in tests/tools/test_study.py."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from full_disk import files_up_to
from mmengine.config import Config
from recorded import read_study

from mmaction_kd.study.launch import Launcher, last_validation, saves_apart
from mmaction_kd.study.plan import Run

WRITE = """import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
folder.joinpath('metrics.json').write_text(json.dumps({'acc/top1': float(sys.argv[2])}))
sys.exit(int(sys.argv[3]))
"""
ARMS = """
    arms = dict(
        a=dict(command='{python} {here}/write.py {folder} 0.5 0'),
        bad=dict(command='{python} {here}/write.py {folder} 0.1 3'),
        after_bad=dict(command='{python} {here}/write.py {bad.folder} 0.1 0'),
        after_a=dict(command='{python} {here}/write.py {folder} 0.75 0',
                     options=dict(x='{a.config}')),
    )
"""


@pytest.fixture
def study_of(tmp_path):
    (tmp_path / 'write.py').write_text(WRITE)
    return lambda text=ARMS: read_study(tmp_path, text)


def do(study, logged=None, jobs=1, fork=False):
    log = (lambda line: None) if logged is None else logged.append
    launcher = Launcher(study.path.parent, study.path.parent, jobs=jobs, log=log, fork=fork)
    return launcher.do(study.runs)


def test_a_run_that_fails_does_not_stop_the_others(study_of):
    logged = []
    failed = do(study := study_of(), logged)
    assert failed['bad/seed0'].startswith('exit 3; see')
    assert failed['after_bad/seed0'] == 'needs bad/seed0'
    results = {run.arm: run.result() for run in study.runs}
    assert results['after_a']['metrics'] == {'acc/top1': 0.75}
    assert results['bad'] is results['after_bad'] is None
    assert any('FAILED' in line and 'write.py' in line for line in logged), 'its log is shown'


def test_what_is_done_is_not_done_again(study_of, tmp_path):
    do(study_of())
    (tmp_path / 'write.py').write_text(
        WRITE.replace('sys.argv[3]', '0').replace('sys.argv[2]', '9')
    )
    logged = []
    study = study_of()
    assert do(study, logged) == {}
    assert logged[0] == '4 runs, 2 done before, 2 to do'
    metrics = [run.result()['metrics'].get('acc/top1') for run in study.runs]
    assert metrics == [0.5, 9, None, 0.75]


def test_a_log_for_which_there_is_no_room_is_named_and_the_study_goes_on_later(study_of):
    study = study_of()
    log = study.runs[0].folder / 'log.txt'
    log.parent.mkdir(parents=True)
    log.write_text(100_000 * 'of an earlier try ')
    before = log.read_text()
    with files_up_to(50_000), pytest.raises(OSError, match=r'room for .*seed0/log\.txt, and'):
        do(study)
    assert log.read_text() == before and study.runs[0].result() is None
    do(study)
    assert study.runs[0].result()['metrics'] == {'acc/top1': 0.5}


def test_what_runs_print_is_shown_as_it_comes_and_kept(study_of):
    """Of this try alone, and all of it before its outcome is logged."""
    study = study_of("""arms = dict(a=dict(command="sh -c 'printf a; sleep 1; echo b'"))""")
    log = study.runs[0].folder / 'log.txt'
    log.parent.mkdir(parents=True)
    log.write_text('of an earlier try\n')
    written, at_log = [], []
    shown = io.BytesIO()
    shown.write = lambda part: written.append(part) or len(part)
    launcher = Launcher(Path(), follow=shown, log=lambda line: at_log.append(b''.join(written)))
    assert launcher.do(study.runs) == {}
    command = b"$ sh -c 'printf a; sleep 1; echo b'\n"
    assert [part for part in written if part][-2:] in ([b'a', b'b\n'], [command + b'a', b'b\n'])
    assert at_log == [b'', command + b'ab\n']
    assert log.read_bytes() == b'of an earlier try\n' + at_log[1]


def test_several_jobs_find_the_same(study_of):
    assert sorted(do(study_of(), jobs=3)) == ['after_bad/seed0', 'bad/seed0']


def test_forked_runs_find_the_same_and_leave_this_process_as_it_is(study_of, tmp_path):
    (tmp_path / 'write.py').write_text(f'import os\nos.environ["CHANGED"] = "1"\n{WRITE}')
    before = os.getcwd(), list(sys.argv), list(sys.path), dict(os.environ)
    study = study_of()
    failed = do(study, jobs=2, fork=True)
    assert failed['bad/seed0'].startswith('exit 3; see') and len(failed) == 2
    assert study.runs[0].result()['metrics'] == {'acc/top1': 0.5}
    assert (os.getcwd(), sys.argv, sys.path, dict(os.environ)) == before


def test_a_forked_run_ends_with_its_study(study_of, tmp_path):
    (tmp_path / 'write.py').write_text('import time\nprint("here", flush=True)\ntime.sleep(60)')
    log = (run := study_of().runs[0]).folder / 'log.txt'
    before = set(_children(os.getpid()))  # those of other tests

    def interrupted():
        _wait(lambda: log.exists() and 'here' in log.read_text())
        os.kill(os.getpid(), signal.SIGINT)

    # A pytest in the background ignores SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupted).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            do(study_of(), fork=True)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert run.result() is None and set(_children(os.getpid())) <= before


def test_a_run_begun_with_other_settings_is_refused_and_what_needs_it_waits(study_of):
    do(study_of())
    failed = do(study_of(ARMS.replace('0.5 0', '0.6 0')))
    assert 'begun with other settings; remove' in failed['a/seed0']
    assert json.loads((study_of().runs[0].result_file).read_text())['metrics'] == {'acc/top1': 0.5}
    assert failed['after_a/seed0'].endswith('--work-dir')


STEP = """
import signal, subprocess, sys, time
rank = subprocess.Popen(['sleep', '600'], start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: (rank.kill(), rank.wait(), sys.exit(1)))
print(rank.pid, flush=True)
time.sleep(60)
"""


def test_runs_end_with_their_study_and_end_their_own_processes(study_of, tmp_path):
    """They are asked to, not killed: torchrun's ranks, in sessions of their own, would go on."""
    (tmp_path / 'step.py').write_text(STEP)
    study = study_of("arms = dict(slow=dict(command='{python} {here}/step.py'))")
    code = (
        f'import sys; sys.path[:0] = {sys.path!r}\n'
        'from mmaction_kd.study.launch import Launcher\n'
        'from mmaction_kd.study.plan import Study\n'
        'from pathlib import Path\n'
        f'study = Study({str(study.path)!r}, Path({str(study.work_dir)!r}))\n'
        'Launcher(Path(), study.path.parent).do(study.runs)\n'
    )
    process = subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        log = study.runs[0].folder / 'log.txt'
        _wait(lambda: log.exists() and log.read_text().splitlines()[1:])
        rank = int(log.read_text().splitlines()[1])
        process.kill()
        process.wait()
        _wait(lambda: not _alive(rank))
    finally:
        process.kill()


def _wait(condition, seconds=180):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end
        time.sleep(0.05)


def _children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as listed:
        return [int(child) for child in listed.read().split()]


def _alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):  # ended before it was opened, or read
        return False


def test_a_half_written_result_is_no_result(study_of):
    study = study_of()
    run = study.runs[0]
    run.folder.mkdir(parents=True)
    (run.folder / 'result.json.part').write_text('{"metr')
    do(study)
    assert run.result()['metrics'] == {'acc/top1': 0.5}


def test_gpus_are_shared_out_among_the_jobs(tmp_path):
    launcher = Launcher(tmp_path, tmp_path, devices=2, jobs=2, gpus=('4', '5', '6', '7'))
    shown = [launcher._environment(slot)['CUDA_VISIBLE_DEVICES'] for slot in range(2)]
    assert shown == ['4,5', '6,7']
    with pytest.raises(ValueError, match='need 4 GPUs, got 3'):
        Launcher(tmp_path, tmp_path, devices=2, jobs=2, gpus=('0', '1', '2'))
    with pytest.raises(ValueError, match='forked runs must have one device, got 2; leave out'):
        Launcher(tmp_path, tmp_path, devices=2, fork=True)


def test_the_last_validation_is_found_across_resumed_runs(tmp_path):
    for stamp, epochs in (('20260101_000000', (3, 6)), ('20260102_000000', (6, 9))):
        folder = tmp_path / stamp / 'vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps(dict(lr=1, loss=2, iter=40 * epochs[0], epoch=epochs[0], step=40))]
        lines += [json.dumps({'acc/top1': e / 10, 'time': 1.0, 'step': e}) for e in epochs]
        (folder / 'scalars.json').write_text('\n'.join(lines))
    assert last_validation(tmp_path) == {'acc/top1': 0.9}


@pytest.mark.parametrize(
    ('randomness', 'seed', 'expected'),
    [(None, None, 0), (dict(deterministic=True), None, 0), (dict(seed=3), None, 3),
     (dict(seed=3), 1, 1), (None, 1, 1)],
)  # fmt: skip
def test_a_run_has_its_seed_or_that_of_its_config(tmp_path, randomness, seed, expected):
    config = Config({} if randomness is None else dict(randomness=randomness))
    config.default_hooks = dict(checkpoint=dict(out_dir='s3://a'))
    config.dump(tmp_path / 'given.py')
    run = Run('arm', tmp_path / 'work', seed=seed, config=str(tmp_path / 'given.py'))
    next(Launcher(tmp_path)._steps(run))
    written = Config.fromfile(run.config_file)
    assert written.randomness == {**(randomness or {}), 'seed': expected}
    assert written.default_hooks.checkpoint.out_dir == f's3://a/work/{run.name}', 'of this work dir'


def test_a_command_made_in_code_finds_its_folder_and_its_config(tmp_path):
    """The config, which may be none that could be trained; other braces are the command's own."""
    Config(dict(model=dict(type='NoSuchModel'))).dump(tmp_path / 'given.py')
    run = Run('a', tmp_path, config=str(tmp_path / 'given.py'), options={'model.depth': 3},
              command='cp {config} {folder}/{braces}')  # fmt: skip
    assert Launcher(tmp_path, log=lambda line: None).do([run]) == {}
    copied = Config.fromfile(run.config_file).model
    assert copied == dict(type='NoSuchModel', depth=3)
    assert (run.folder / '{braces}').read_text() == run.config_file.read_text()


def test_runs_that_save_elsewhere_save_apart():
    """MMEngine appends 'train' alone, the last part of each run's work dir."""
    cfg = Config(
        dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', out_dir='s3://a/')))
    )
    saves_apart(cfg, 'arm/seed0')
    assert cfg.default_hooks.checkpoint.out_dir == 's3://a/arm/seed0'
    for plain in (dict(), dict(default_hooks=dict(checkpoint=dict(interval=1)))):
        saves_apart(cfg := Config(plain), 'arm/seed0')
        assert cfg.to_dict() == plain
