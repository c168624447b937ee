"""A video with the answers written into it."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import cv2
import numpy as np

SHORT_SIDE = 360
"""Pixels, at most."""


class AnnotatedVideo:
    """Write frames with the answer of the window whose centre is nearest.

    Frames wait until the windows around them are answered: at most half a window and a step. The
    file has another name until it is finished.

    Args:
        path: of the .mp4.
        fps: frames a second.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = fps
        self._part = path.with_name(f'{path.stem}.part{path.suffix}')
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._waiting: deque[np.ndarray] = deque()
        self._written = 0
        self._last: tuple[float, str] | None = None

    def add_frame(self, frame: np.ndarray) -> None:
        """Add a frame, (H, W, 3), uint8, RGB."""
        height, width = frame.shape[:2]
        if self._writer is None:
            scale = min(1, SHORT_SIDE / min(height, width))
            self._size = (2 * round(width * scale / 2), 2 * round(height * scale / 2))
            code = cv2.VideoWriter.fourcc(*'mp4v')
            self._writer = cv2.VideoWriter(str(self._part), code, self.fps, self._size)
            if not self._writer.isOpened():
                raise OSError(f'predict_stream: OpenCV must be able to write {self._part}.')
        self._waiting.append(cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA))

    def add_answer(self, centre: float, text: str) -> None:
        """Add a window's answer, and write the frames that are nearer to the window before it.

        Args:
            centre: of the window, seconds.
            text: of the answer.
        """
        if self._last is not None:
            middle = (self._last[0] + centre) / 2
            self._write(round(middle * self.fps) - self._written)
        self._last = centre, text

    def finish(self) -> None:
        """Write the remaining frames, and give the file its name."""
        self._write(len(self._waiting))
        if self._writer is not None:
            self._writer.release()
            os.replace(self._part, self.path)

    def _write(self, count: int) -> None:
        assert self._writer is not None or not self._waiting
        for _ in range(min(count, len(self._waiting))):
            frame = cv2.cvtColor(self._waiting.popleft(), cv2.COLOR_RGB2BGR)
            if self._last is not None:
                _draw(frame, self._last[1])
            self._writer.write(frame)  # type: ignore[union-attr]
            self._written += 1


def _draw(frame: np.ndarray, text: str) -> None:
    """Draw white text on a dark bar at the bottom; both scale with the frame."""
    height, width = frame.shape[:2]
    bar = max(14, height // 10)
    frame[-bar:] //= 3
    (full, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1, 1)
    scale = min(0.028 * bar, 0.96 * width / full)
    place = (int(0.02 * width), height - int(0.3 * bar))
    white = (255, 255, 255)
    cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, white, 1, cv2.LINE_AA)
