"""Fixtures that several test files share."""

from pathlib import Path

import cv2
import mmengine.config.config
import numpy as np
import pytest

import mmaction_kd  # noqa: F401  (fixes the host before a test imports mmaction)

# yapf takes a second for a config, and a Runner formats its own five times and at each checkpoint.
mmengine.config.config.FormatCode = lambda text, **style: (text, False)

REAL_DATA = Path(__file__).parents[1] / '../shared/data'


def write_video(path: Path, num_frames: int) -> Path:
    """Write a 64x48 video at 25 fps in which a bright square moves over a fixed texture.

    No two frames are equal, and no frame is equal to its mirror image.
    """
    texture = np.random.default_rng(0).integers(0, 100, (6, 8, 3), dtype=np.uint8)
    background = cv2.resize(texture, (64, 48), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    for index in range(num_frames):
        frame = background.copy()
        left, top = (3 * index) % 52, (2 * index) % 36
        frame[top : top + 12, left : left + 12] = (255, 4 * index % 256, 128)
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture(scope='session')
def tiny_videos(tmp_path_factory) -> dict[str, Path]:
    """Three small videos by name: ``long`` and ``other`` (60 frames), ``short`` (10 frames)."""
    folder = tmp_path_factory.mktemp('tiny_videos')
    frames = dict(long=60, other=60, short=10)
    return {name: write_video(folder / f'{name}.mp4', n) for name, n in frames.items()}


@pytest.fixture(scope='session')
def tiny_video(tiny_videos) -> Path:
    """A small video of 60 frames."""
    return tiny_videos['long']


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of real clips, which only the development machines have."""
    if not REAL_DATA.is_dir():
        pytest.skip('needs the real clips in ../shared/data')
    return REAL_DATA
