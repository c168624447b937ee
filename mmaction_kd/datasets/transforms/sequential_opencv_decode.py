"""Sequential decoding with OpenCV."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmaction_kd.datasets.transforms.shared_frames import decode_distinct
from mmaction_kd.registry import TRANSFORMS

SEEK_BEYOND = 64
"""Frames. A seek goes back to a key frame, 12 to 250 frames: over less, grabbing is faster."""


@TRANSFORMS.register_module()
class SequentialOpenCVDecode(BaseTransform):
    """Decode frames with OpenCV in one pass, converting only the requested ones.

    The frames are those of MMAction2's OpenCVDecode, which seeks for every frame that does not
    follow the one before, and decodes ahead with a thread for each core. This step opens the file
    once more, with one thread, as the workers of a data loader share the cores.

    Replaces OpenCVDecode, after OpenCVInit. Required keys are ``new_path`` and ``frame_inds``;
    ``imgs`` (RGB), ``img_shape`` and ``original_shape`` are set, ``video_reader`` is released.

    Raises:
        ValueError: on a sample: no frame can be read.
    """

    def transform(self, results: dict) -> dict:
        video = cv2.VideoCapture(results['new_path'], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        decode_distinct(results, functools.partial(read_forward, video))
        video.release()
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def read_forward(video: cv2.VideoCapture, inds: Iterable[int]) -> Iterator[np.ndarray]:
    """Read frames.

    Args:
        video: at its first frame.
        inds: ascending frame indices.

    Yields:
        (H, W, 3), RGB, uint8. As with OpenCVDecode, a frame that can't be read, such as the last
        ones of some files, is replaced by the last readable one before it.

    Raises:
        ValueError: there is none before it.
    """
    position = 0
    for index in inds:
        if index - position > SEEK_BEYOND:
            position = seek(video, index)
        for _ in range(index - position):
            video.grab()
        img = video.read()[1]
        position = index + 1
        readable = index
        while img is None:
            readable -= 1
            if readable < 0:
                raise ValueError(
                    f'SequentialOpenCVDecode: frame {index} must be readable, got none.'
                )
            for _ in range(readable - seek(video, readable)):
                video.grab()
            img, position = video.read()[1], readable + 1
        yield cv2.cvtColor(img, cv2.COLOR_BGR2RGB)


def seek(video: cv2.VideoCapture, index: int) -> int:
    """Seek, and return the index of the frame that is read next."""
    video.set(cv2.CAP_PROP_POS_FRAMES, index)
    return int(video.get(cv2.CAP_PROP_POS_FRAMES))
