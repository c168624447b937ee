"""What a video of a batch is called, for an error about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME_KEYS = ('filename', 'frame_dir')
HOW_TO_NAME = "PackActionInputs with meta_keys=('filename', 'frame_dir') tells the videos' names"


def video_path(sample: Any) -> str | None:
    """Path of a video or of its folder of frames; of one with pathways that of the first.

    Args:
        sample: a data sample of a model, or the dict of it that a metric gets.

    Returns:
        The path; None where the pipeline did not pack it.
    """
    for info in (sample, *sample.get('pathways', {}).values()):
        for key in NAME_KEYS:
            if info.get(key) is not None:
                return str(info.get(key))
    return None


def video_name(sample: Any, place: int) -> str:
    """How to call a video in an error.

    Args:
        sample: see :func:`video_path`.
        place: in the batch.

    Returns:
        The quoted path, else where it stands and how to see its path.

    Example:
        >>> video_name(dict(filename='abseiling/x.mp4'), 3)
        "'abseiling/x.mp4'"
        >>> video_name({}, 3)
        'video 3 of the batch'
    """
    path = video_path(sample)
    return f'video {place} of the batch' if path is None else repr(path)


def video_list(samples: Sequence[Any], places: Sequence[int], most: int = 3) -> str:
    """Some videos of a batch, in words.

    Args:
        samples: all of the batch.
        places: of those that are meant, at least one.
        most: so many are named.

    Returns:
        "'a.mp4', 'b.mp4' and 2 more of 8 videos"; of a batch that is meant whole "all 8 videos
        ('a.mp4', ...)".
    """
    named = ', '.join(video_name(samples[place], place) for place in places[:most])
    left = len(places) - most
    if len(places) == len(samples) > 1:
        return f'all {len(samples)} videos' + (
            f' ({named}{", ..." if left > 0 else ""})' if video_path(samples[0]) else ''
        )
    more = f' and {left} more' if left > 0 else ''
    return f'{named}{more} of {len(samples)} videos'


def how_to_name(samples: Sequence[Any]) -> str:
    """What to add to an error where the pipeline packs no names; nothing where it does."""
    return '' if all(video_path(sample) for sample in samples) else f' ({HOW_TO_NAME})'
