"""Dense optical flow algorithms, by name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable

import cv2
import numpy as np

from mmaction_kd.optical_flow.horn_schunck import horn_schunck

# Two gray frames (H, W), uint8 -> displacement from the first to the second, pixels to the right
# and down, (H, W, 2), float32.
OpticalFlow = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _opencv(algorithm: cv2.DenseOpticalFlow) -> OpticalFlow:
    # None, which the stubs leave out: a flow in its place would be DIS's first guess.
    return lambda first, second: algorithm.calc(first, second, None)  # type: ignore[call-overload]


def _dis(preset: int) -> OpticalFlow:
    return _opencv(cv2.DISOpticalFlow.create(preset))


def _farneback() -> OpticalFlow:
    return _opencv(
        cv2.FarnebackOpticalFlow.create(
            numLevels=3, pyrScale=0.5, winSize=15, numIters=3, polyN=5, polySigma=1.2
        )
    )


def _tvl1() -> OpticalFlow:
    try:
        algorithm = cv2.optflow.DualTVL1OpticalFlow.create()
    except AttributeError as error:
        others = [name for name in ALGORITHMS if name != 'tvl1']
        raise ImportError(
            'optical_flow: tvl1 must find the module optflow in OpenCV, got '
            f'{cv2.__version__} without it; install opencv-contrib-python in place of '
            f'opencv-python, or take one of {others}.'
        ) from error
    return _opencv(algorithm)


ALGORITHMS: dict[str, Callable[[], OpticalFlow]] = {
    'dis': lambda: _dis(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
    'dis_fast': lambda: _dis(cv2.DISOPTICAL_FLOW_PRESET_FAST),
    'dis_ultrafast': lambda: _dis(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST),
    'farneback': _farneback,
    'tvl1': _tvl1,
    'horn_schunck': lambda: horn_schunck,
}


def optical_flow(name: str) -> OpticalFlow:
    """Make an algorithm.

    ``dis`` is OpenCV's preset "medium", down to half the frames' size; ``dis_fast`` stops at a
    quarter of it; ``dis_ultrafast`` too, without variational refinement.

    Source: dis, Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016;
    farneback, Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003;
    tvl1, Zach et al., "A Duality Based Approach for Realtime TV-L1 Optical Flow", DAGM 2007: all
    of them OpenCV's; horn_schunck is this package's.

    Args:
        name: a key of ALGORITHMS, or the import path of an :data:`OpticalFlow` of your own, such as
            'my_flow.raft'.

    Returns:
        The function from two gray frames to the flow between them.

    Raises:
        ValueError: there is no such algorithm.
        ImportError: this OpenCV lacks it.
    """
    if name in ALGORITHMS:
        return ALGORITHMS[name]()
    try:
        flow = pkgutil.resolve_name(name)
        if not callable(flow):
            raise ValueError('no function')
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(
            f'optical_flow: algorithm must be one of {list(ALGORITHMS)}, or the import path of a '
            f"function such as 'my_flow.raft', got {name!r} ({error})."
        ) from error
    return flow
