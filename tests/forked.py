"""Scripts as children of the tests."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import IO

import mmaction.apis  # noqa: F401  (what tools import: once here, not in each fork)
import torch

import mmaction_kd.engine
import mmaction_kd.models  # noqa: F401
from mmaction_kd.utils.child_command import start_command
from mmaction_kd.utils.forked_script import ForkedScript


def start_script(
    words: Sequence[str], environment: Mapping[str, str], output: IO
) -> subprocess.Popen | ForkedScript:
    """Fork a Python script from this process, whose imports it then has.

    A GPU can not be shared with a fork: where this process has used one, Python starts anew.
    """
    if torch.cuda.is_initialized():
        return start_command([sys.executable, '-W', 'ignore', *words], environment, output)
    return ForkedScript(words, environment, output)
