"""What the tests of the tools share."""

from pathlib import Path

import pytest
from tool_runs import run_tool


@pytest.fixture(scope='session')
def demo_set(tmp_path_factory) -> Path:
    """What tools/data/make_demo_videos.py writes: per class 2 videos to train, 1 to test."""
    folder = tmp_path_factory.mktemp('demo_set')
    run_tool('tools/data/make_demo_videos.py', folder, '--train', 2, '--test', 1)
    return folder
