"""Optical flow of Horn and Schunck, the algorithm that the DTKD paper cites."""

from __future__ import annotations

import numpy as np


def image_derivatives(
    first: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``E_x``, ``E_y``, ``E_t``: means of the four differences in a cube of 2 x 2 x 2 pixels.

    Source: Horn and Schunck, section 7. The last row and column are repeated at the border.

    Args:
        first: frame, (H, W).
        second: the frame after it, (H, W).

    Returns:
        Three times (H, W), float32, in gray levels per pixel and, in time, per frame.
    """
    a, b = (np.pad(x.astype(np.float32), ((0, 1), (0, 1)), mode='edge') for x in (first, second))
    both, change = a + b, b - a  # (H + 1, W + 1)
    rightwards, downwards = np.diff(both, axis=1), np.diff(both, axis=0)
    e_x = (rightwards[:-1] + rightwards[1:]) / 4
    e_y = (downwards[:, :-1] + downwards[:, 1:]) / 4
    e_t = (change[:-1, :-1] + change[:-1, 1:] + change[1:, :-1] + change[1:, 1:]) / 4
    return e_x, e_y, e_t


def local_mean(flow: np.ndarray) -> np.ndarray:
    """``ū``: mean of the eight neighbours, weight 1/6 by side and 1/12 by corner.

    Source: Horn and Schunck, section 8. The weights are (1 2 1)ᵀ(1 2 1) less its centre, over 12.

    Args:
        flow: (H, W, 2).

    Returns:
        (H, W, 2).
    """
    padded = np.pad(flow, ((1, 1), (1, 1), (0, 0)), mode='edge')
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]  # (H, W + 2, 2)
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] - 4 * flow) / 12


def horn_schunck(
    first: np.ndarray, second: np.ndarray, smoothness: float = 15.0, iterations: int = 100
) -> np.ndarray:
    """Flow that minimises ``Σ (E_x u + E_y v + E_t)² + α² (|∇u|² + |∇v|²)``.

    One iteration for all pixels at once, from u = v = 0:
    ``(u, v) = (ū, v̄) − (E_x, E_y) (E_x ū + E_y v̄ + E_t) / (α² + E_x² + E_y²)``.

    The frames are taken to change linearly over the displacement. This holds for about a pixel, and
    less in fine texture; beyond it, flow indicates motion but not its size.

    Source: Horn and Schunck, "Determining Optical Flow", Artificial Intelligence 17, 1981, eq. in
    section 12.

    Args:
        first: gray frame, (H, W), in 0..255.
        second: the frame after it, (H, W).
        smoothness: α, gray levels per pixel: gradients well below it count as noise.
        iterations: how many; flow reaches about as many pixels into an area without texture.

    Returns:
        (u, v), displacement from first to second to the right and down, pixels, (H, W, 2), float32.
    """
    e_x, e_y, e_t = image_derivatives(first, second)
    gradient = np.stack([e_x, e_y], axis=2)  # (H, W, 2)
    damped = gradient / (smoothness**2 + e_x**2 + e_y**2)[..., None]
    flow = np.zeros_like(gradient)
    for _ in range(iterations):
        mean = local_mean(flow)
        change = e_x * mean[..., 0] + e_y * mean[..., 1] + e_t  # (H, W)
        flow = mean - damped * change[..., None]
    return flow
