"""Gray frames of a video, from a video file or from a folder of images."""

from __future__ import annotations

import io
import os.path
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import decord
import numpy as np
from mmengine import fileio

GrayReader = Callable[[int], np.ndarray]  # index of a frame, from 0 -> (H, W), uint8


class UnusableVideo(Exception):
    """A video that can not be measured, with the reason in words that hold on every machine."""


class VideoSource(Protocol):
    """Where the frames of a video are."""

    def open(self) -> tuple[int, GrayReader]:
        """Number of frames T, and a reader of any of them.

        Raises:
            UnusableVideo: there is no such video, or it can not be decoded; the reader as well.
        """


def _content(path: str, what: str) -> bytes:
    try:
        content = fileio.get(path)
    except OSError as error:
        raise UnusableVideo(f'{what}: {error.strerror or type(error).__name__}') from error
    if not content:
        raise UnusableVideo(f'{what} is empty')
    return content


@dataclass(frozen=True)
class VideoFile:
    """A video file.

    Args:
        path: of any backend of MMEngine's file I/O; without an extension .mp4 is meant, as in
            MMAction2.
    """

    path: str

    def open(self) -> tuple[int, GrayReader]:
        path = self.path if os.path.splitext(self.path)[1] else f'{self.path}.mp4'
        try:
            video = decord.VideoReader(io.BytesIO(_content(path, 'the file')), num_threads=1)
        except (decord.DECORDError, RuntimeError) as error:
            raise UnusableVideo('the file can not be decoded') from error

        def read(index: int) -> np.ndarray:
            try:
                frame = video[index].asnumpy()
            except (decord.DECORDError, RuntimeError) as error:
                raise UnusableVideo(f'frame {index} can not be decoded') from error
            return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)

        return len(video), read


@dataclass(frozen=True)
class FrameFolder:
    """A folder with an image for every frame.

    Args:
        path: the folder.
        filename_tmpl: file name with a place for the number, such as ``img_{:05}.jpg``.
        first: number of the first frame.
        num_frames: T.
    """

    path: str
    filename_tmpl: str
    first: int
    num_frames: int

    def open(self) -> tuple[int, GrayReader]:
        def read(index: int) -> np.ndarray:
            name = self.filename_tmpl.format(self.first + index)
            content = _content(os.path.join(self.path, name), name)
            frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            if frame is None:
                raise UnusableVideo(f'{name} can not be decoded')
            return cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)

        return self.num_frames, read


def resize_short_side(frame: np.ndarray, short_side: int) -> np.ndarray:
    """Scale a frame, its aspect ratio kept.

    Args:
        frame: (H, W), uint8.
        short_side: min(H, W) of the result, pixels; 0 for that of the frame.

    Returns:
        (H', W'), uint8; areas are averaged where it shrinks.
    """
    height, width = frame.shape
    if short_side in (0, min(height, width)):
        return frame
    scale = short_side / min(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(frame, size, interpolation=interpolation)
