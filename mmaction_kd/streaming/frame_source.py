"""Frames of a file, a folder of images, a camera or an address, through OpenCV or PyAV."""

from __future__ import annotations

import contextlib
import functools
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from mmaction_kd.datasets.video_backends import AUTO, is_installed
from mmaction_kd.options import check_choice
from mmaction_kd.streaming.stream_recognizer import Gap

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp')
FOLDER_FPS = 25.0
"""Frames a second of a folder of images, which does not say."""
WAITING = 64
"""Frames of a live stream that wait while the model is busy."""


@dataclass
class FrameSource:
    """The frames of a source, their rate and number.

    Args:
        name: the file's, the folder's, or the address.
        fps: frames a second.
        frames: makes the iterator: (H, W, 3), uint8, RGB, and :class:`Gap`.
        total: number of frames; None of a live stream.
        late: whether frames wait already, so that a live window is better skipped.
    """

    name: str
    fps: float
    frames: Callable[[], Iterator[np.ndarray | Gap]]
    total: int | None = None
    late: Callable[[], bool] = lambda: False


def open_source(
    source: str,
    fps: float | None = None,
    patience: float = 10,
    attempts: int = 5,
    reader: str = AUTO,
) -> FrameSource:
    """Open what a user names.

    Args:
        source: path of a video, or of a folder of images, which are read in the order of their
            names; number of a camera; or an address, such as rtsp://... or http://... . An address
            that reports no number of frames is live.
        fps: frames a second. None: as the source reports.
        patience: seconds without a frame after which a live stream is opened again.
        attempts: to open it again, before it is given up.
        reader: 'opencv', 'pyav', or 'auto', the first of these that decodes a frame. Cameras are
            read by OpenCV.

    Returns:
        The source.

    Raises:
        ValueError: it can't be read, or reports no frame rate.
    """
    check_choice('predict_stream', 'reader', reader, (AUTO, *READERS))
    path = Path(source)
    if path.is_dir():
        paths = sorted(image for image in path.iterdir() if image.suffix.lower() in IMAGES)
        if not paths:
            raise ValueError(f'predict_stream: {source} must hold images ({IMAGES}), got none.')
        return FrameSource(source, fps or FOLDER_FPS, lambda: _images(paths), total=len(paths))
    camera = source.isdigit() and not path.exists()
    if not camera and '://' not in source and not path.is_file():
        raise ValueError(
            f'predict_stream: the source must be a file, a folder of images or of videos, the '
            f'number of a camera or an address, got {source}, which is not there.'
        )
    connect, capture = _first_that_reads(source, camera, reader, patience)
    reported = capture.get(cv2.CAP_PROP_FPS)
    if fps is None and not 0 < reported < 1000:
        raise ValueError(
            f'predict_stream: {source} must report its frame rate, got {reported}; set --fps.'
        )
    total = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    if path.is_file() or (total > 0 and not camera):
        known = total if total > 0 else None
        return FrameSource(
            source, fps or reported, lambda: _file(source, connect(), total), total=known
        )
    live = LiveFrames(source, connect, patience, attempts, capture)
    return FrameSource(source, fps or reported, lambda: iter(live), late=live.late)


def _first_that_reads(
    source: str, camera: bool, reader: str, patience: float
) -> tuple[Callable[[], Capture], Capture]:
    """Return how to open a source, and the connection, whose first frame is consumed."""
    names = ['opencv'] if camera else [reader] if reader != AUTO else list(READERS)
    for name in names:
        if not is_installed(name):
            continue
        connect = functools.partial(READERS[name], source, patience)
        capture = connect()
        if capture.isOpened() and capture.read()[0]:
            return connect, capture
        capture.release()
    missing = '' if is_installed('pyav') else '; run `pip install av` for another reader'
    raise ValueError(
        f'predict_stream: {source} must be a video that can be read, got no frame from '
        f'{" or ".join(names)}{missing}.'
    )


class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...

    def get(self, propId: int) -> float: ...

    def read(self) -> tuple[bool, Any]: ...

    def release(self) -> None: ...


def opencv_capture(source: str, patience: float) -> cv2.VideoCapture:
    """Open a camera by its number, a file or an address.

    Args:
        source: see :func:`open_source`.
        patience: seconds that opening and reading a frame may take.

    Returns:
        The connection, open or not.
    """
    if source.isdigit() and not Path(source).exists():
        return cv2.VideoCapture(int(source))
    waits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
    limits = [number for wait in waits for number in (wait, int(1000 * patience))]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)


class PyAVCapture:
    """A file or an address through PyAV, used as cv2.VideoCapture.

    Args:
        source: see :func:`open_source`.
        patience: seconds that opening and reading a frame may take.
    """

    def __init__(self, source: str, patience: float) -> None:
        import av

        self._container: Any = None
        with contextlib.suppress(av.FFmpegError, OSError):
            # UDP, FFmpeg's own choice for RTSP, loses packets; OpenCV takes TCP, too.
            options = dict(rtsp_transport='tcp')
            self._container = av.open(source, options=options, timeout=patience)
        self._frames = self._decoded()

    def isOpened(self) -> bool:
        return self._container is not None and bool(self._container.streams.video)

    def get(self, propId: int) -> float:
        """Return CAP_PROP_FPS or CAP_PROP_FRAME_COUNT; 0 where it is not known."""
        stream = self._container.streams.video[0]
        fps = float(stream.average_rate or 0)
        if propId == cv2.CAP_PROP_FPS:
            return fps
        return stream.frames or round((self._container.duration or 0) * fps / 1e6)

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Return whether there was a frame, and it, (H, W, 3), BGR."""
        frame = next(self._frames, None)
        if frame is None:
            return False, None
        turns = getattr(frame, 'rotation', 0) // 90  # absent in PyAV 13
        return True, np.ascontiguousarray(np.rot90(frame.to_ndarray(format='bgr24'), turns))

    def release(self) -> None:
        if self._container is not None:
            self._container.close()

    def _decoded(self) -> Iterator[Any]:
        import av

        stream = self._container.streams.video[0]
        stream.thread_type = 'AUTO'
        with contextlib.suppress(av.FFmpegError):  # it broke off
            for packet in self._container.demux(stream):
                with contextlib.suppress(av.InvalidDataError):  # skipped, as by OpenCV
                    yield from packet.decode()
        with contextlib.suppress(av.FFmpegError):
            yield from stream.decode()  # what the decoder still holds


READERS: dict[str, Callable[[str, float], Capture]] = dict(opencv=opencv_capture, pyav=PyAVCapture)
"""In the order in which 'auto' tries them."""


def _images(paths: list[Path]) -> Iterator[np.ndarray]:
    for path in paths:
        frame = cv2.imread(str(path))
        if frame is None:
            raise ValueError(f'predict_stream: {path} must be an image that can be read.')
        yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)


def _file(name: str, capture: Capture, total: int) -> Iterator[np.ndarray]:
    count = 0
    try:
        while (read := capture.read())[0]:
            count += 1
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
    if count < 0.99 * total - 1:  # headers are a few frames wrong
        raise ValueError(
            f'predict_stream: {name} must have the {total} frames of its header, got {count}; what '
            'follows can not be decoded.'
        )


class LiveFrames:
    """Frames of a camera or an address, read in a thread, which is opened again when it fails.

    Args:
        name: for messages.
        connect: opens it: something with ``read()``, ``release()`` and ``isOpened()``.
        patience: seconds without a frame after which it is opened again.
        attempts: to do so, 1, 2, 4, ... seconds apart, before it is given up.
        capture: the first connection, where it is open.

    Raises:
        ValueError: in iterating: it was given up.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Capture],
        patience: float = 10,
        attempts: int = 5,
        capture: Capture | None = None,
    ) -> None:
        self.name = name
        self.connect = connect
        self.patience = patience
        self.attempts = attempts
        self._reader = _Reader(capture or connect())

    def late(self) -> bool:
        """Return whether frames wait, as the model is slower than the stream."""
        return not self._reader.frames.empty()

    def __iter__(self) -> Iterator[np.ndarray | Gap]:
        try:
            while True:
                since = time.monotonic()
                try:
                    frame = self._reader.frames.get(timeout=self.patience)
                    reason = 'broke off'
                except queue.Empty:
                    frame, reason = None, f'gave no frame for {self.patience:g} s'
                if frame is not None:
                    yield frame
                else:
                    self._connect_again(reason)
                    yield Gap(time.monotonic() - since)
        finally:
            self._reader.stop()

    def _connect_again(self, reason: str) -> None:
        self._reader.stop()
        for attempt in range(self.attempts):
            print(f'predict_stream: {self.name} {reason}; opening it again', file=sys.stderr)
            capture = self.connect()
            if capture.isOpened():
                self._reader = _Reader(capture)
                return
            time.sleep(2**attempt)
        raise ValueError(
            f'predict_stream: {self.name} {reason} and must be possible to open again, got '
            f'{self.attempts} failures.'
        )


class _Reader:
    """A thread that reads one connection; None among the frames is its end."""

    def __init__(self, capture: Capture) -> None:
        self.frames: queue.Queue[np.ndarray | None] = queue.Queue(WAITING)
        self._capture = capture
        self._stopped = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _read(self) -> None:
        while not self._stopped.is_set():
            done, frame = self._capture.read()
            self._put(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if done else None)
            if not done:
                break
        self._capture.release()

    def _put(self, frame: np.ndarray | None) -> None:
        while not self._stopped.is_set():
            try:
                return self.frames.put(frame, timeout=0.5)
            except queue.Full:
                continue
