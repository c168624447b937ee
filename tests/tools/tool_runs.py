"""How the tests run the tools, and a config that is quick on the rendered video set."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from forked import start_script

from mmaction_kd.utils.child_command import end_command, start_command
from mmaction_kd.utils.forked_script import ForkedScript

ROOT = Path(__file__).parents[2]
TINY = 'configs/mbd/tiny_r3d_vtn.py'


def run_tool(script: object, *arguments: object, code: int = 0, **env: str) -> str:
    """Run a Python or shell script from the project's root, on one thread.

    Args:
        script: a Python script of tools/ is forked from this process, whose imports it then has.
        arguments: of the script.
        code: exit code to expect.
        env: environment variables.

    Returns:
        What it printed.
    """
    with tempfile.TemporaryFile('w+') as output:
        process = start_tool(script, *arguments, output=output, **env)
        try:
            process.wait(600)
        finally:
            end_command(process)
        output.seek(0)
        printed = output.read()
    assert process.poll() == code, printed[-6000:]
    return printed


def start_tool(
    script: object, *arguments: object, output: IO, **env: str
) -> subprocess.Popen | ForkedScript:
    """Start what :func:`run_tool` runs."""
    words, environment = tool_command(script, *arguments), tool_env(**env)
    with contextlib.chdir(ROOT):
        if str(script).startswith('tools/') and words[0] == sys.executable:
            return start_script(words[words.index(str(script)) :], environment, output)
        return start_command(words, environment, output)


def tool_command(script: object, *arguments: object) -> list:
    """A command line, with this Python for a Python script."""
    python = [] if str(script).endswith('.sh') else [sys.executable, '-W', 'ignore']
    return [*python, str(script), *map(str, arguments)]


def tool_env(**env: str) -> dict:
    """This environment, less what would make a script think that it has been launched."""
    own = {k: v for k, v in os.environ.items() if k not in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE')}
    return own | dict(OMP_NUM_THREADS='1', PYTHON=sys.executable) | env


def hear_ctrl_c() -> None:
    """To be done in a child before its program: what was started in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def shrunken(demo_set: Path, **changes: object) -> list:
    """``--cfg-options`` that make the tiny config train and test in seconds on the rendered set.

    Args:
        demo_set: folder of the set.
        changes: more settings, with ``__`` for each dot.

    Returns:
        The arguments.
    """
    options = {
        'train_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1,
    }
    for loader, split in (('train_dataloader', 'train'), ('test_dataloader', 'test')):
        options |= {
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
            f'{loader}.dataset.ann_file': demo_set / f'{split}.txt',
            f'{loader}.dataset.data_prefix.video': demo_set / 'videos',
        }
    for name, value in changes.items():
        options[name.replace('__', '.')] = value
    return ['--cfg-options', *(f'{key}={value}' for key, value in options.items())]
