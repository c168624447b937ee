"""Sequential decoding with PyAV, with rotation and a known length."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from mmaction.datasets.transforms import PyAVDecode, PyAVInit

from mmaction_kd.datasets.transforms.shared_frames import decode_distinct
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CountingPyAVInit(PyAVInit):
    """Open a video with PyAV, and count its frames where the header has no number.

    Replaces MMAction2's PyAVInit, which leaves ``total_frames`` 0 for WebM, Matroska and MPEG-TS.
    The packets are counted, without decoding.
    """

    def transform(self, results: dict) -> dict:
        results = super().transform(results)
        if results['total_frames'] < 1:
            with results['video_reader'] as container:
                num_frames = sum(packet.size > 0 for packet in container.demux(video=0))
            results = super().transform(results)  # PyAV can not rewind
            results['total_frames'] = num_frames
        return results


@TRANSFORMS.register_module()
class SequentialPyAVDecode(PyAVDecode):
    """Decode frames with PyAV in one pass, keeping and converting only the requested ones.

    Replaces MMAction2's PyAVDecode, with the same frames and arguments, but for two things. A video
    is rotated as its header asks, as by decord and OpenCV. A frame after the end of the stream is
    replaced by the last one, as with OpenCV; PyAVDecode starts again at the first.

    Raises:
        ValueError: on a sample: there is no frame.
    """

    def transform(self, results: dict) -> dict:
        if self.mode != 'accurate':
            return super().transform(results)
        container = results['video_reader']
        if self.multi_thread:
            container.streams.video[0].thread_type = 'AUTO'
        return decode_distinct(results, functools.partial(read_forward, container))


def read_forward(container: Any, inds: Iterable[int]) -> Iterator[np.ndarray]:
    """Read frames.

    Args:
        container: of PyAV, at its first frame.
        inds: ascending frame indices.

    Yields:
        (H, W, 3), RGB, uint8.

    Raises:
        ValueError: there is no frame.
    """
    frames = container.decode(video=0)
    last, position = None, -1
    for index in inds:
        for frame in itertools.islice(frames, index - position):
            last = frame
        position = index
        if last is None:
            raise ValueError(f'SequentialPyAVDecode: frame {index} must be readable, got none.')
        turns = getattr(last, 'rotation', 0) // 90  # absent in PyAV 13
        yield np.ascontiguousarray(np.rot90(last.to_rgb().to_ndarray(), turns))
