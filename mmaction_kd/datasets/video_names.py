"""Names of the videos of a batch, for errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NAME_KEYS = ('filename', 'frame_dir')
HOW_TO_NAME = "PackActionInputs with meta_keys=('filename', 'frame_dir') packs the videos' names"


def video_path(sample: Any) -> str | None:
    """Return the path of a video or of its folder of frames; with pathways that of the first.

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


def video_name(sample: Any, index: int) -> str:
    """Name a video in an error: its quoted path, else its index in the batch.

    Args:
        sample: see :func:`video_path`.
        index: in the batch.

    Example:
        >>> video_name(dict(filename='abseiling/x.mp4'), 3)
        "'abseiling/x.mp4'"
        >>> video_name({}, 3)
        'video 3 of the batch'
    """
    path = video_path(sample)
    return f'video {index} of the batch' if path is None else repr(path)


def video_list(samples: Sequence[Any], indices: Sequence[int], most: int = 3) -> str:
    """List some videos of a batch.

    Args:
        samples: all of the batch.
        indices: of the listed videos, at least one.
        most: how many are named.

    Returns:
        "'a.mp4', 'b.mp4' and 2 more of 8 videos"; of a complete batch "all 8 videos ('a.mp4',
        ...)".
    """
    named = ', '.join(video_name(samples[index], index) for index in indices[:most])
    left = len(indices) - most
    if len(indices) == len(samples) > 1:
        return f'all {len(samples)} videos' + (
            f' ({named}{", ..." if left > 0 else ""})' if video_path(samples[0]) else ''
        )
    more = f' and {left} more' if left > 0 else ''
    return f'{named}{more} of {len(samples)} videos'


def how_to_name(samples: Sequence[Any]) -> str:
    """Explain how to get names into errors, where the pipeline packs none; '' where it does."""
    return '' if all(video_path(sample) for sample in samples) else f' ({HOW_TO_NAME})'
