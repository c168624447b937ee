"""Names of pictures, safe whatever a video is called."""

import re
from pathlib import PurePath

LONGEST = 60  # characters of four bytes at most; file systems take 255 bytes, suffixes and all


def picture_name(video: str, number: int | None = None) -> str:
    """Name a picture after its video, without leaving its folder.

    Args:
        video: path or URL of the video, or of a folder of frames.
        number: makes videos of the same name in several folders distinct.

    Returns:
        A file name without suffix, of letters, digits, `_`, `-` and `.`, not beginning with a dot.

    Example:
        >>> picture_name('walk/v_1.mp4', 3), picture_name('/tmp/../$(x) y.avi')
        ('00003_v_1', '_x_y')
    """
    stem = re.sub(r'[^\w.-]+', '_', PurePath(video).stem).lstrip('.')[:LONGEST] or 'video'
    return stem if number is None else f'{number:05d}_{stem}'
