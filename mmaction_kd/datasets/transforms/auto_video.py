"""Read each video with the first reader that can."""

from __future__ import annotations

import logging
import os.path
from collections.abc import Mapping
from typing import Any, Literal

from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmaction_kd.datasets.container_length import how_cut
from mmaction_kd.datasets.reader_process import ReaderFault
from mmaction_kd.datasets.video_backends import VIDEO_BACKENDS, BackendSteps, is_installed
from mmaction_kd.options import checked_options
from mmaction_kd.registry import TRANSFORMS

_logged: set[tuple[str, str]] = set()  # (ending, backend) in this process


Readers = Mapping[Literal['decord', 'pyav', 'opencv'], Mapping]


@TRANSFORMS.register_module()
class AutoVideoInit(BaseTransform):
    """Open a video with the first of decord, PyAV and OpenCV that can read it.

    decord 0.6 does not read AV1, animated GIF, MPEG-TS or videos with a rotation in the header. A
    reader can read a file when it opens it, knows the number of frames, and decodes the first one.
    The choice depends on the file alone, so training, test and all clips get frames of the same
    reader. A file that is shorter than its header promises is refused: other readers would take it
    for complete.

    Replaces DecordInit, before the samplers; :class:`AutoVideoDecode` replaces DecordDecode.
    ``PathwayPipelines(backend='auto')`` does both. The reader is logged once for each file
    extension.

    Args:
        readers: arguments of MMAction2's own first step by reader, e.g.
            ``dict(decord=dict(num_threads=2))``.

    Raises:
        ValueError: it names another reader.
        FileNotFoundError: on a sample: there is no file.
        RuntimeError: on a sample: no reader can read it, or it is truncated.
    """

    @checked_options
    def __init__(self, readers: Readers | None = None) -> None:
        self._readers = _built(init=readers)

    def transform(self, results: dict) -> dict:
        path = str(results['filename'])
        faults: dict[str, str] = {}
        for name, steps in self._readers.items():
            try:
                opened = steps.open_checked(results)
            except Exception as error:  # readers raise many types
                if not faults:
                    _check_exists_and_complete(path, error)
                faults[name] = ReaderFault.of(error).reason
            else:
                _log_once(path, name, faults)
                return {**opened, 'video_backend': name}
        missing = [name for name in VIDEO_BACKENDS if name not in self._readers]
        faults |= dict.fromkeys(missing, 'not installed')
        raise RuntimeError(f'no reader can read it ({_words(faults)})')

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class AutoVideoDecode(BaseTransform):
    """Decode frames with the reader that :class:`AutoVideoInit` chose.

    Args:
        readers: arguments of MMAction2's own second step by reader.
    """

    @checked_options
    def __init__(self, readers: Readers | None = None) -> None:
        self._readers = _built(decode=readers)

    def transform(self, results: dict) -> dict:
        return self._readers[results['video_backend']].decode(results)

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _built(**arguments: Mapping[Any, Mapping] | None) -> dict[str, BackendSteps]:
    """Build the steps of each installed reader, in the order in which they are tried."""
    [(step, readers)] = arguments.items()
    return {
        name: BackendSteps(name, **{step: (readers or {}).get(name)})
        for name in VIDEO_BACKENDS
        if is_installed(name)
    }


def _check_exists_and_complete(path: str, error: Exception) -> None:
    if isinstance(error, FileNotFoundError):
        raise error
    if os.path.isfile(path) and (cut := how_cut(path)):
        raise RuntimeError(cut) from error


def _log_once(path: str, name: str, faults: dict[str, str]) -> None:
    ending = os.path.splitext(path)[1].lower()
    if (ending, name) in _logged:
        return
    _logged.add((ending, name))
    kind = f'{ending} files' if ending else 'files without an ending'
    why = f', which others do not ({_words(faults)})' if faults else ''
    print_log(
        f'AutoVideoInit: {name} reads {kind} such as {path}{why}.',
        logger='current',
        level=logging.INFO,
    )


def _words(faults: dict[str, str]) -> str:
    return '; '.join(f'{name}: {reason}' for name, reason in faults.items())
