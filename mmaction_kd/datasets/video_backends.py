"""The readers of video files, and which of them can read a file."""

from __future__ import annotations

import functools
import importlib.util
import os.path
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from mmaction.utils import get_str_type

from mmaction_kd.datasets.container_length import how_cut
from mmaction_kd.registry import TRANSFORMS
from mmaction_kd.utils.held_back_stderr import held_back_stderr

AUTO = 'auto'


class VideoBackend(NamedTuple):
    """MMAction2's two steps that read a video file, and the package of their reader.

    ``in_place`` and ``init_in_place`` replace the two with the same frames, but are faster or know
    the number of frames.
    """

    init: str
    decode: str
    package: str
    in_place: str | None = None
    init_in_place: str | None = None
    only_forward: bool = False
    """Whether an open reader can not go back to the first frame."""


VIDEO_BACKENDS = {
    'decord': VideoBackend(
        'DecordInit', 'DecordDecode', package='decord', in_place='mmaction_kd.ChunkedDecordDecode'
    ),
    'pyav': VideoBackend(
        'PyAVInit',
        'PyAVDecode',
        package='av',
        in_place='mmaction_kd.SequentialPyAVDecode',
        init_in_place='mmaction_kd.CountingPyAVInit',
        only_forward=True,
    ),
    'opencv': VideoBackend(
        'OpenCVInit', 'OpenCVDecode', package='mmcv', in_place='mmaction_kd.SequentialOpenCVDecode'
    ),
}
"""In the order in which ``auto`` tries them."""


def is_installed(backend: str) -> bool:
    """Check for a backend's package without importing it."""
    return importlib.util.find_spec(VIDEO_BACKENDS[backend].package) is not None


class BackendSteps:
    """The two steps of a backend.

    Args:
        backend: 'decord', 'pyav' or 'opencv'.
        init: arguments of MMAction2's first step.
        decode: arguments of MMAction2's second step.
    """

    def __init__(
        self, backend: str, init: Mapping | None = None, decode: Mapping | None = None
    ) -> None:
        of = VIDEO_BACKENDS[backend]
        self._only_forward = of.only_forward
        self.init = TRANSFORMS.build(
            {**(init or {}), 'type': of.init_in_place or f'mmaction.{of.init}'}
        )
        self.decode = TRANSFORMS.build(
            {**(decode or {}), 'type': of.in_place or f'mmaction.{of.decode}'}
        )

    def open_checked(self, video: dict) -> dict:
        """Open a video file, and check that its first frame can be decoded.

        Args:
            video: the pipeline's dict, with ``filename``.

        Returns:
            The first step's result, at the first frame.

        Raises:
            Exception: whatever the reader raises.
        """
        with held_back_stderr():
            opened = self.init(dict(video))
            if opened['total_frames'] < 1:
                raise ValueError('there is no frame')
            self.decode({**opened, 'frame_inds': np.zeros(1, int)})
            return self.init(dict(video)) if self._only_forward else opened


def readers_of(filename: str) -> list[str]:
    """Return the installed backends that can open a video file and decode its first frame.

    Args:
        filename: path; for one that is not local, or truncated, there are none.
    """
    found: list[str] = []
    if not os.path.isfile(filename) or how_cut(filename):
        return found
    for name in VIDEO_BACKENDS:
        if is_installed(name):
            try:
                usual_steps(name).open_checked(dict(filename=filename))
            except Exception:  # readers raise many types
                continue
            found.append(name)
    return found


@functools.cache  # each new step warns anew that MMEngine's FileClient is old
def usual_steps(backend: str) -> BackendSteps:
    """Return the two steps of a backend with MMAction2's defaults."""
    return BackendSteps(backend)


def other_readers(filename: str, used: str) -> str:
    """Name the backends that can read a file that one can not, as the end of an error.

    Args:
        filename: path.
        used: the backend.

    Returns:
        '' where none can, or where ``used`` can, so that something else is wrong.
    """
    found = readers_of(filename)
    if used in found or not found:
        return ''
    return (
        f'{" and ".join(found)} can read it: set backend={AUTO!r} (in a stock pipeline, '
        'mmaction_kd.AutoVideoInit and mmaction_kd.AutoVideoDecode)'
    )


def step_kind(step: Mapping) -> str:
    """Return the class name of a step's config, without its scope."""
    return get_str_type(step['type']).rpartition('.')[2]


def with_auto(pipeline: Sequence[dict]) -> list[dict]:
    """Replace the steps of a pipeline that read a video by AutoVideoInit and AutoVideoDecode.

    Args:
        pipeline: configs of the steps, stock ones or PathwayPipelines.

    Returns:
        The pipeline; the arguments of the replaced steps are kept.
    """
    steps = []
    for step in pipeline:
        kind = step_kind(step)
        for name, of in VIDEO_BACKENDS.items():
            if kind in (of.init, of.decode):
                auto = 'AutoVideoInit' if kind == of.init else 'AutoVideoDecode'
                arguments = {key: value for key, value in step.items() if key != 'type'}
                step = dict(type=f'mmaction_kd.{auto}', readers={name: arguments})
        steps.append(dict(step, backend=AUTO) if kind == 'PathwayPipelines' else step)
    return steps


def used_backend(steps: Sequence) -> str | None:
    """Return the backend that opens the videos in built transforms; None where there is none."""
    kinds = {base.__name__ for step in steps for base in type(step).__mro__}
    return next((name for name, of in VIDEO_BACKENDS.items() if of.init in kinds), None)
