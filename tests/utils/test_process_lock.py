"""A lock that one process has, and that none keeps beyond its death."""

import errno
import multiprocessing
import os
import signal
import time

import pytest

from mmaction_kd.utils import process_lock
from mmaction_kd.utils.process_lock import only_process

CONTEXT = multiprocessing.get_context('fork')


def hold(path, begun, with_a_child):
    with only_process(path, 'tool', path.parent, 'take another'):
        if with_a_child and os.fork() == 0:
            begun.set()
            time.sleep(60)
            os._exit(0)
        if not with_a_child:
            begun.set()
        time.sleep(60)


@pytest.fixture(params=[False, True], ids=['alone', 'with a child that outlives it'])
def holder(request, tmp_path):
    """A process that holds the lock."""
    begun = CONTEXT.Event()
    process = CONTEXT.Process(target=hold, args=(tmp_path / 'new/.lock', begun, request.param))
    process.start()
    assert begun.wait(60)
    with open(f'/proc/{process.pid}/task/{process.pid}/children') as listed:
        children = [int(pid) for pid in listed.read().split()]
    assert len(children) == request.param
    yield process
    for pid in (process.pid, *children):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.join()


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path, holder):
    lock = tmp_path / 'new/.lock'
    with (
        pytest.raises(
            RuntimeError, match=r'tool: another process works in .*/new; wait for it, or take ano'
        ),
        only_process(lock, 'tool', lock.parent, 'take another'),
    ):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    assert lock.exists()
    with only_process(lock, 'tool', lock.parent, 'take another'):
        assert lock.exists()
    assert not lock.exists()


def test_an_error_within_ends_it(tmp_path):
    lock = tmp_path / '.lock'
    with pytest.raises(ZeroDivisionError), only_process(lock, 'tool', tmp_path, ''):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_where_there_are_no_locks_there_is_none(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr('fcntl.lockf', no_locks)
    with only_process(tmp_path / '.lock', 'tool', tmp_path, ''):
        pass
    monkeypatch.setattr(process_lock, 'fcntl', None)
    with only_process(tmp_path / '.lock', 'tool', tmp_path, ''):
        pass
