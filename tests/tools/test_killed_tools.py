"""Tools that are killed, stopped, started twice or out of room, and then end as if they were not.

Each of the jobs is killed as a whole, at moments that a seed draws: in its start, in its work, and
in writing, which is slowed down for that.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killed_tools import Job, check_job, flow_job, slow_writes, state, store_job, study_job

KILLS = 5
JOBS = {
    'store': lambda demo, videos, folder: store_job(videos, folder, 1, 1),
    'store on two ranks': lambda demo, videos, folder: store_job(videos, folder, 2, 0),
    'flow with one worker': lambda demo, videos, folder: flow_job(demo, 1),
    'flow with two workers': lambda demo, videos, folder: flow_job(demo, 2),
    'check': lambda demo, videos, folder: check_job(demo),
    'study': lambda demo, videos, folder: study_job(folder),
}
WITH_PROCESSES = ['store', 'store on two ranks', 'flow with two workers', 'check', 'study']
WRITING_MUCH = ['store', 'flow with two workers', 'study']


@pytest.fixture(scope='module', params=JOBS)
def clean(request, demo_set, tiny_videos, tmp_path_factory):
    """A job, what it writes when nothing befalls it, and how many seconds it takes."""
    folder = tmp_path_factory.mktemp('clean')
    job = JOBS[request.param](demo_set, tiny_videos, folder / 'data')
    begun = time.monotonic()
    job.run(folder / 'out')
    yield job, job.files(folder / 'out'), time.monotonic() - begun
    job.kill(random.Random(0))


def end_of(job: Job, folder, expected, message=''):
    """The same command ends as a clean one, and leaves nothing else."""
    job.run(folder)
    assert job.files(folder) == expected, message
    left = [path.name for path in folder.rglob('*') if path.suffix == '.part']
    assert left == [], message


@pytest.mark.slow
@pytest.mark.parametrize('seed', [0])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(clean, tmp_path, seed):
    job, expected, seconds = clean
    out, slow, dice = tmp_path / 'out', slow_writes(tmp_path / 'slow'), random.Random(seed)
    moments = []
    for number in range(KILLS):
        out.mkdir(exist_ok=True)
        before = state(out)
        process = job.start(out, **slow)
        if number % 3 == 0:
            moment = dice.uniform(0, seconds)
        else:
            job.wait_for_a_write(out, process, before)
            moment = dice.uniform(0, 1.5)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        moments.append((number % 3, round(moment, 3), process.poll()))
        job.kill(dice)
        process.wait()
    assert len([code for *_, code in moments if code is None]) >= 2, 'it was too quick to be killed'
    end_of(job, out, expected, f'seed {seed}: {moments}')


def alone(job: Job) -> bool:
    """Whether no launcher stands between the test and the tool."""
    return not job.python


@pytest.mark.slow
@pytest.mark.parametrize('clean', WITH_PROCESSES, indirect=True)
@pytest.mark.parametrize('by', [signal.SIGINT, signal.SIGTERM], ids=['ctrl_c', 'sigterm'])
def test_stopped_it_leaves_no_process_and_can_be_gone_on_with(clean, tmp_path, by):
    """Ctrl-C goes to the process group, as from a terminal; SIGTERM to the first process."""
    job, expected, _ = clean
    out = tmp_path / 'out'
    process = job.start(out, subprocess.PIPE, **slow_writes(tmp_path / 'slow'))
    job.wait_for_a_write(out, process, {})
    if by == signal.SIGINT:
        os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    job.assert_none_is_left(30)
    printed, _ = process.communicate()
    assert process.returncode != 0
    if alone(job):
        assert 'Traceback' not in printed, printed[-3000:]
        if by == signal.SIGINT:
            assert process.returncode == 130 and 'stopped; nothing is half-written' in printed
    assert by == signal.SIGTERM or [path.name for path in out.rglob('*.part')] == []
    end_of(job, out, expected)


@pytest.mark.slow
@pytest.mark.parametrize('clean', WITH_PROCESSES, indirect=True)
def test_of_two_at_once_one_is_refused_or_both_are_right(clean, tmp_path):
    job, expected, _ = clean
    out = tmp_path / 'out'
    processes = [job.start(out, subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate(timeout=300)[0] for process in processes]
    codes = [process.returncode for process in processes]
    assert 0 in codes, printed[0][-2000:] + printed[1][-2000:]
    for code, text in zip(codes, printed, strict=True):
        assert code == 0 or 'another process works in' in text, text[-2000:]
    assert job.files(out) == expected
    end_of(job, out, expected)


@pytest.mark.slow
@pytest.mark.parametrize('clean', WRITING_MUCH, indirect=True)
def test_on_a_full_disk_it_says_so_and_ends_right_when_there_is_room(clean, tmp_path):
    """Of several sizes, on a file system of its own."""
    job, expected, _ = clean
    disk, dice, said = tmp_path / 'disk', random.Random(0), []
    disk.mkdir()
    mounted = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=4k', 'none', disk], stderr=subprocess.DEVNULL
    )
    if mounted.returncode:
        pytest.skip('needs the right to mount a file system')
    try:
        pages = sum(-(-len(content) // 4096) for content in expected.values())
        for size in (1, *sorted(dice.choices(range(1, pages + 1), k=2))):
            subprocess.run(['mount', '-o', f'remount,size={4 * size}k', disk], check=True)
            said.append(job.run(disk / 'out', code=None))
            job.assert_none_is_left(30)
        subprocess.run(['mount', '-o', 'remount,size=64m', disk], check=True)
        for text in said[:1]:
            assert 'there must be room for' in text and 'No space left' in text, text[-3000:]
        end_of(job, disk / 'out', expected)
    finally:
        subprocess.run(['umount', disk], check=True)


@pytest.mark.slow
@pytest.mark.parametrize('rank', ['0', '1'])
def test_of_two_ranks_of_which_one_is_killed_none_goes_on(tiny_videos, tmp_path, rank):
    """Nor hangs; and the same command ends with the same bytes."""
    job = store_job(tiny_videos, tmp_path / 'data', 2, 0)
    job.run(tmp_path / 'clean')
    out = tmp_path / 'out'
    process = job.start(out, subprocess.PIPE)
    job.wait_for_a_write(out, process, {})
    mark = f'\0RANK={rank}\0'.encode()
    (killed,) = (pid for pid in job.left() if mark in Path(f'/proc/{pid}/environ').read_bytes())
    os.kill(killed, signal.SIGKILL)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and 'exitcode  : -9' in printed
    job.assert_none_is_left(10)
    end_of(job, out, job.files(tmp_path / 'clean'))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(demo_set, tmp_path):
    """Twice in one run, at random moments: the tool goes on and ends with the same bytes."""
    job, dice = flow_job(demo_set, 2), random.Random(0)
    job.run(tmp_path / 'clean')
    out = tmp_path / 'out'
    process = job.start(out, subprocess.PIPE)
    killed = 0
    while killed < 2 and process.poll() is None:
        time.sleep(dice.uniform(0.5, 2))
        workers = [pid for pid in job.left() if b'spawn_main' in command_line(pid)]
        if workers and any(out.rglob('*.jsonl')):
            os.kill(dice.choice(workers), signal.SIGKILL)
            killed += 1
    printed, _ = process.communicate(timeout=120)
    assert killed and process.returncode == 0, printed[-2000:]
    assert job.files(out) == job.files(tmp_path / 'clean')
    job.assert_none_is_left(10)


def command_line(pid: int) -> bytes:
    try:
        return Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return b''


@pytest.mark.slow
@pytest.mark.parametrize('clean', ['store', 'check'], indirect=True)
def test_workers_end_with_a_tool_that_is_killed(clean, tmp_path):
    """Only the first process is, as by a user who looks for its number."""
    job, _, _ = clean
    process = job.start(tmp_path / 'out')
    job.wait_for_a_write(tmp_path / 'out', process, {})
    process.kill()
    process.wait()
    job.assert_none_is_left(30)
