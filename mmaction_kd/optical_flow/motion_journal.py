"""What is measured so far, on disk, so that a killed run goes on where it ended."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, is_dataclass
from pathlib import Path

from mmaction_kd.datasets.video_source import VideoSource
from mmaction_kd.files.json_lines import append_line, read_lines
from mmaction_kd.optical_flow.video_motion import MotionSettings


class MotionJournal:
    """A folder with a file for every rank, to which a line is added for every finished video.

    A line is known by the video's place and the settings, so that what was measured in another way,
    or of another copy of the data, is never taken. Unusable videos are not in it: a next run looks
    whether they are fixed.

    Args:
        folder: for all ranks; made when the first line is written.
        settings: how this run looks at videos.
        rank: which file is written; all are read.
    """

    def __init__(self, folder: Path, settings: MotionSettings, rank: int = 0) -> None:
        self.folder = folder
        self.settings = settings
        self.path = folder / f'rank_{rank}.jsonl'

    def key(self, video: VideoSource) -> str:
        """What a video's line is known by: 16 hexadecimal digits."""
        assert is_dataclass(video) and not isinstance(video, type)
        whole = [asdict(video), self.settings.recorded()]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]

    def read(self) -> dict[str, float]:
        """Motion by key, of every rank and number of ranks; half a line is no line."""
        found = {}
        for path in sorted(self.folder.glob('*.jsonl')):
            for line in read_lines(path):
                if {'key', 'motion'} <= line.keys():
                    found[line['key']] = line['motion']
        return found

    def append(self, name: str, video: VideoSource, motion: float) -> None:
        """Add a finished video.

        Args:
            name: for people who look into the file.
            video: where its frames are.
            motion: pixels per frame.

        Raises:
            OSError: it can not be written.
        """
        append_line(self.path, dict(video=name, motion=motion, key=self.key(video)))

    def remove(self) -> None:
        """Remove the folder, once the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)
