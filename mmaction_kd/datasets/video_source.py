"""Gray frames of a video, from a video file or from a folder of images."""

from __future__ import annotations

import io
import os.path
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import decord
import numpy as np
from mmengine import fileio

from mmaction_kd.host_fixes.video_readers import as_named

GrayReader = Callable[[int], np.ndarray]  # index of a frame, from 0 -> (H, W), uint8


class UnusableVideo(Exception):
    """A video that can not be measured; the reason is the same on every machine."""


class VideoSource(Protocol):
    """Source of a video's frames."""

    def open(self) -> tuple[int, GrayReader]:
        """Return the number of frames T, and a reader of any of them.

        Raises:
            UnusableVideo: there is no such video, or it can not be decoded; the reader raises it,
                too.
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

    A local file that decord can not read is read by another backend, as with AutoVideoInit.

    Args:
        path: of any backend of MMEngine's file I/O; as in MMAction2 one without an extension may
            mean the .mp4.
    """

    path: str

    def open(self) -> tuple[int, GrayReader]:
        path = as_named(self.path, fileio.isfile)
        try:
            video = decord.VideoReader(io.BytesIO(_content(path, 'the file')), num_threads=1)
            video[0]
        except (decord.DECORDError, RuntimeError) as error:
            if (other := _other_reader(path)) is not None:
                return other
            raise UnusableVideo('the file can not be decoded') from error

        def read(index: int) -> np.ndarray:
            try:
                frame = video[index].asnumpy()
            except (decord.DECORDError, RuntimeError) as error:
                raise UnusableVideo(f'frame {index} can not be decoded') from error
            return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)

        return len(video), read


def _other_reader(path: str) -> tuple[int, GrayReader] | None:
    """Open a local file with another reader than decord; it reads forward, or restarts."""
    # MMAction2, which this imports, takes seconds: only unusual files need it.
    from mmaction_kd.datasets.transforms import sequential_opencv_decode, sequential_pyav_decode
    from mmaction_kd.datasets.video_backends import readers_of, usual_steps

    def of_pyav(inds: Iterator[int]) -> Iterator[np.ndarray]:
        container = usual_steps('pyav').init(dict(filename=path))['video_reader']
        return sequential_pyav_decode.read_forward(container, inds)

    def of_opencv(inds: Iterator[int]) -> Iterator[np.ndarray]:
        return sequential_opencv_decode.read_forward(cv2.VideoCapture(path, cv2.CAP_FFMPEG), inds)

    passes = dict(pyav=of_pyav, opencv=of_opencv)
    backend = next((name for name in readers_of(path) if name in passes), None)
    if backend is None:
        return None
    wanted = -1
    frames: Iterator[np.ndarray] = iter(())

    def read(index: int) -> np.ndarray:
        nonlocal wanted, frames
        if wanted < 0 or index <= wanted:
            frames = passes[backend](iter(lambda: wanted, None))
        wanted = index
        try:
            return cv2.cvtColor(next(frames), cv2.COLOR_RGB2GRAY)
        except Exception as error:  # readers raise many types
            wanted = -1
            raise UnusableVideo(f'frame {index} can not be decoded') from error

    return usual_steps(backend).init(dict(filename=path))['total_frames'], read


@dataclass(frozen=True)
class FrameFolder:
    """A folder with an image for every frame.

    Args:
        path: of the folder.
        filename_tmpl: file name with the frame number, such as ``img_{:05}.jpg``.
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


def video_source(info: dict) -> VideoSource:
    """Return the source of the frames of a video or frame folder annotated as in MMAction2."""
    if 'filename' in info:
        return VideoFile(info['filename'])
    first = info['start_index'] + info.get('offset', 0)
    return FrameFolder(info['frame_dir'], info['filename_tmpl'], first, info['total_frames'])


def resize_short_side(frame: np.ndarray, short_side: int) -> np.ndarray:
    """Resize a frame, keeping its aspect ratio; by area where it shrinks.

    Args:
        frame: (H, W), uint8.
        short_side: min(H, W) of the result, pixels; 0 keeps the size.

    Returns:
        (H', W'), uint8.
    """
    height, width = frame.shape
    if short_side in (0, min(height, width)):
        return frame
    scale = short_side / min(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(frame, size, interpolation=interpolation)
