"""NumPy 1 behaviour that MMAction2 relies on."""

from __future__ import annotations

from typing import Any

from mmaction_kd.host_fixes.fix import Fix, release, source_of, version_of

# Used by mmaction2 1.2.0 and mmpretrain 1.2.0, removed in NumPy 2.
_DROPPED = ('Inf', 'in1d', 'trapz')


def _missing_names() -> list[str]:
    import numpy as np

    return [name for name in _DROPPED if name not in vars(np)]


def _names_are_missing() -> bool:
    return bool(_missing_names())


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    import numpy as np

    return np.isin(ar1, ar2, assume_unique=assume_unique, invert=invert).ravel()


def _add_names(numpy: Any) -> None:
    missing = _missing_names()
    if 'Inf' in missing:
        numpy.Inf = numpy.inf
    if 'in1d' in missing:
        numpy.in1d = _in1d
    if 'trapz' in missing:
        numpy.trapz = numpy.trapezoid


def _hue_overflows() -> bool:
    return release(version_of('numpy')) >= (2,) and '(hsv[..., 0] + offset) % 180' in source_of(
        'mmaction.datasets.transforms.processing'
    )


def adjust_hue(img: Any, factor: float) -> Any:
    """Shift the hue of an RGB image.

    Differs from the host: the sum is in int16. In uint8, NumPy 2 refuses a negative offset, and
    NumPy 1 let a hue above 255 wrap around before the modulo.

    Args:
        img: (H, W, 3), clipped to [0, 255].
        factor: of MMAction2's scale, in [-0.5, 0.5].

    Returns:
        (H, W, 3), float32.
    """
    import cv2
    import numpy as np

    hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0].astype(np.int16) + int(factor * 255)
    hsv[..., 0] = (hue % 180).astype(np.uint8)  # OpenCV counts hue in steps of two degrees
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)


def _replace_adjust_hue(processing: Any) -> None:
    processing.ColorJitter.adjust_hue = staticmethod(adjust_hue)


FIXES = (
    Fix(
        name="module 'numpy' has no attribute " + ', '.join(_DROPPED),
        hosts=('mmaction2', 'numpy'),
        module='numpy',
        fault=_names_are_missing,
        patch=_add_names,
        remedy='pip install "numpy<2"',
    ),
    Fix(
        name='OverflowError: ColorJitter, out of bounds for uint8',
        hosts=('mmaction2', 'numpy'),
        module='mmaction.datasets.transforms.processing',
        fault=_hue_overflows,
        patch=_replace_adjust_hue,
        remedy='pip install "numpy<2"',
    ),
)
