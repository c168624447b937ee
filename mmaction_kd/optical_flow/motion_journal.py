"""Measured motion on disk, so that a killed run resumes."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, is_dataclass
from pathlib import Path

from mmaction_kd.datasets.video_source import VideoSource
from mmaction_kd.optical_flow.video_motion import MotionSettings
from mmaction_kd.utils.json_lines import append_line, read_lines


class MotionJournal:
    """A folder with a file per rank, and a line per finished video.

    A line is identified by the video's source and the settings, so results of other settings or
    another copy of the data are never used. Unusable videos are not recorded: a next run tries them
    again.

    Args:
        folder: for all ranks; created with the first line.
        settings: of this run.
        rank: whose file is written; all are read.
    """

    def __init__(self, folder: Path, settings: MotionSettings, rank: int = 0) -> None:
        self.folder = folder
        self.settings = settings
        self.path = folder / f'rank_{rank}.jsonl'

    def key(self, video: VideoSource) -> str:
        """Return the key of a video's line, 16 hexadecimal digits."""
        assert is_dataclass(video) and not isinstance(video, type)
        content = [asdict(video), self.settings.recorded()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    def read(self) -> dict[str, float]:
        """Read motion by key, of all ranks of earlier runs; truncated lines are ignored."""
        found = {}
        for path in sorted(self.folder.glob('*.jsonl')):
            for line in read_lines(path):
                if {'key', 'motion'} <= line.keys():
                    found[line['key']] = line['motion']
        return found

    def append(self, name: str, video: VideoSource, motion: float) -> None:
        """Add a finished video.

        Args:
            name: for readers of the file.
            video: source of its frames.
            motion: pixels per frame.

        Raises:
            OSError: it can not be written.
        """
        append_line(self.path, dict(video=name, motion=motion, key=self.key(video)))

    def remove(self) -> None:
        """Remove the folder, once the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)
