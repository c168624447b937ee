"""The file that lists bad videos with their reasons."""

from __future__ import annotations

import json
import os.path
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mmaction_kd.utils.atomic_file import write_atomically

FILE_NAME = 'bad_videos.json'


@dataclass
class BadVideos:
    """The bad videos of a data set.

    Args:
        num_videos: number of its videos, bad ones included.
        bad_videos: reason by path of the file or of the folder of frames.
    """

    num_videos: int = 0
    bad_videos: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f'{len(self.bad_videos)} of {self.num_videos} videos'


def video_name(info: Mapping, index: int) -> str:
    """Return the name of a video in the file: its path, else its index.

    Args:
        info: annotation, as ``get_data_info`` of a data set returns it.
        index: in the data set.
    """
    for key in ('filename', 'frame_dir', 'audio_path'):
        if key in info:
            return str(info[key])
    return f'sample {index}'


def write_bad_videos(path: str | Path, found: Mapping[str, BadVideos]) -> None:
    """Write the file atomically.

    Args:
        path: of the .json file.
        found: by the name of the data set, such as 'train' or 'test'.
    """
    content = {
        name: asdict(of) | dict(bad_videos=dict(sorted(of.bad_videos.items())))
        for name, of in sorted(found.items())
    }
    write_atomically(Path(path), json.dumps(content, indent=1, ensure_ascii=False) + '\n')


def read_bad_videos(path: str | Path) -> dict[str, BadVideos]:
    """Read a file that BadVideosHook or tools/data/check_videos.py wrote.

    Args:
        path: of the .json file.

    Returns:
        By the name of the data set.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is another file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'read_bad_videos: there must be a list of bad videos, got {path}, which is not there; '
            'make it with tools/data/check_videos.py.'
        )
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        found = {name: BadVideos(**of) for name, of in content.items()}
        for of in found.values():
            if not all(isinstance(reason, str) for reason in of.bad_videos.values()):
                raise TypeError('a reason is no text')
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            'read_bad_videos: a list of bad videos must be as BadVideosHook and '
            f'tools/data/check_videos.py write it, got {type(error).__name__}: {error} from '
            f'{path}; make it anew.'
        ) from error
    return found


def reasons_by_path(path: str | Path) -> dict[str, str]:
    """Read the bad videos of all data sets in a file.

    Args:
        path: of the .json file.

    Returns:
        Reasons by the absolute path of the video.

    Raises:
        FileNotFoundError, ValueError: see :func:`read_bad_videos`.
    """
    return {
        os.path.abspath(name): reason
        for of in read_bad_videos(path).values()
        for name, reason in of.bad_videos.items()
    }
