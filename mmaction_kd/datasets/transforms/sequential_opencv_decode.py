"""OpenCV reads a video in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmaction_kd.datasets.transforms.shared_frames import give_to_clips
from mmaction_kd.registry import TRANSFORMS

SEEK_BEYOND = 64
"""Frames. A seek goes back to a key frame, 12 to 250 frames: what lies nearer is passed over."""


@TRANSFORMS.register_module()
class SequentialOpenCVDecode(BaseTransform):
    """Decode frames with OpenCV, going forward and converting only those that are wanted.

    The frames are those of MMAction2's OpenCVDecode, which seeks for every frame that does not
    follow the one before, and decodes with a thread for each core, ahead of what is wanted. This
    step opens the file once more, with one thread: the workers of a data loader share the cores.

    It stands in OpenCVDecode's place, after OpenCVInit. Required keys are ``new_path`` and
    ``frame_inds``; ``imgs`` (RGB), ``img_shape`` and ``original_shape`` are set, ``video_reader``
    is released.
    """

    def transform(self, results: dict) -> dict:
        """Decode.

        Args:
            results: the pipeline's dict.

        Returns:
            The same dict.

        Raises:
            ValueError: no frame can be read.
        """
        results['frame_inds'] = np.ravel(results['frame_inds'])
        distinct, uses = np.unique(results['frame_inds'], return_inverse=True)
        video = cv2.VideoCapture(results['new_path'], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        results['imgs'] = list(read_forward(video, distinct.tolist()))
        video.release()
        give_to_clips(results, len(distinct), uses, copy=True)
        results['video_reader'] = None
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
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
        ones of some files, is the last one before it that can.

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
