"""Frames whose true flow is known: a smooth texture, moved."""

from dataclasses import dataclass

import numpy as np

HEIGHT, WIDTH = 96, 128
INSIDE = (slice(12, -12), slice(12, -12))  # what no algorithm has to guess


def texture(x, y, seed=0):
    """Gray levels at places (x, y) of a plane: waves of 12 to 40 pixels, 0..255."""
    rng = np.random.default_rng(seed)
    waves = zip(
        rng.uniform(12, 40, 12), rng.uniform(0, np.pi, 12), rng.uniform(0, 6.3, 12), strict=True
    )
    total = sum(
        np.sin(2 * np.pi / length * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        for length, angle, phase in waves
    )
    return np.clip(128 + 25 * total, 0, 255).round().astype(np.uint8)


def grid(height=HEIGHT, width=WIDTH):
    """Places of the pixels, (H, W) each."""
    y, x = np.mgrid[:height, :width].astype(float)
    return x, y


def shifted(right, down):
    """Two frames, the second moved by so many pixels, and the flow (H, W, 2)."""
    x, y = grid()
    flow = np.stack([np.full(x.shape, right), np.full(x.shape, down)], axis=2)
    return texture(x, y), texture(x - right, y - down), flow


def turned(angle):
    """Two frames, the second turned about the centre by ``angle`` rad (x to y), and the flow."""
    x, y = grid()
    cx, cy, cos, sin = WIDTH / 2, HEIGHT / 2, np.cos(angle), np.sin(angle)
    dx, dy = x - cx, y - cy
    second = texture(cos * dx + sin * dy + cx, cos * dy - sin * dx + cy)
    flow = np.stack([cos * dx - sin * dy - dx, cos * dy + sin * dx - dy], axis=2)
    return texture(x, y), second, flow


@dataclass(frozen=True)
class DriftingVideo:
    """A video source: the texture drifts by so many pixels per frame."""

    right: float
    down: float = 0.0
    num_frames: int = 5
    scale: int = 1  # size of the frames, and of the texture, as a multiple

    def open(self):
        x, y = grid(HEIGHT * self.scale, WIDTH * self.scale)

        def read(t):
            return texture((x - t * self.right) / self.scale, (y - t * self.down) / self.scale)

        return self.num_frames, read
