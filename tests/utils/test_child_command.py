"""Commands that end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmaction_kd.utils import child_command
from mmaction_kd.utils.child_command import end_command, start_command

SLEEP = [sys.executable, '-c', 'import time; print(1, flush=True); time.sleep(60)']
STUBBORN = [sys.executable, '-c', 'import signal, time; signal.signal(15, signal.SIG_IGN);'
            'print(1, flush=True); time.sleep(60)']  # fmt: skip
PARENT = """
import os, sys
from mmaction_kd.utils.child_command import start_command
print(start_command({words!r}, os.environ, sys.stderr).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize('words, by', [(SLEEP, signal.SIGTERM), (STUBBORN, signal.SIGKILL)])
def test_it_is_asked_to_end_and_then_killed(tmp_path, monkeypatch, words, by):
    monkeypatch.setattr(child_command, 'PATIENCE', 0.5)
    with (tmp_path / 'log').open('w') as log:
        process = start_command(words, os.environ, log)
    wait_for(lambda: (tmp_path / 'log').read_text() == '1\n')
    assert os.getsid(process.pid) == process.pid  # no Ctrl-C of this terminal comes to it
    end_command(process)
    assert process.returncode == -by
    end_command(process)  # has ended already


def test_it_ends_when_its_parent_is_killed():
    parent = subprocess.Popen(
        [sys.executable, '-c', PARENT.format(words=SLEEP)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    child = Path('/proc', parent.stdout.readline().strip())
    assert child.exists()
    parent.kill()
    parent.communicate()
    wait_for(lambda: not child.exists() or ') Z' in (child / 'stat').read_text())


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
