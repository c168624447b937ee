"""PyAV reads a video in one pass, upright, and knows its length."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from mmaction.datasets.transforms import PyAVDecode, PyAVInit

from mmaction_kd.datasets.transforms.shared_frames import give_to_clips
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CountingPyAVInit(PyAVInit):
    """Open a video with PyAV, and count its frames where the header does not tell their number.

    That of WebM, Matroska and MPEG-TS does not, for which MMAction2's PyAVInit, in whose place it
    stands, leaves ``total_frames`` 0. The packets are counted, without decoding.
    """

    def transform(self, results: dict) -> dict:
        """Open.

        Args:
            results: the pipeline's dict, with ``filename``.

        Returns:
            The same dict with ``video_reader`` and ``total_frames``.

        Raises:
            Exception: PyAV's own, where the file is no video.
        """
        results = super().transform(results)
        if results['total_frames'] < 1:
            with results['video_reader'] as container:
                num_frames = sum(packet.size > 0 for packet in container.demux(video=0))
            results = super().transform(results)  # what was read can't be read again
            results['total_frames'] = num_frames
        return results


@TRANSFORMS.register_module()
class SequentialPyAVDecode(PyAVDecode):
    """Decode frames with PyAV, keeping and converting only those that are wanted.

    The frames and the arguments are those of MMAction2's PyAVDecode, in whose place it stands, but
    for two things. A video whose header asks for it is turned, as by decord and OpenCV. And where
    the stream ends before the frame that is wanted, that is the last one there is, as with OpenCV;
    PyAVDecode begins anew.
    """

    def transform(self, results: dict) -> dict:
        """Decode.

        Args:
            results: the pipeline's dict, with ``video_reader`` at its first frame.

        Returns:
            The same dict with ``imgs``, ``img_shape`` and ``original_shape``.

        Raises:
            ValueError: there is no frame.
        """
        if self.mode != 'accurate':
            return super().transform(results)
        container = results['video_reader']
        if self.multi_thread:
            container.streams.video[0].thread_type = 'AUTO'
        results['frame_inds'] = np.ravel(results['frame_inds'])
        distinct, uses = np.unique(results['frame_inds'], return_inverse=True)
        results['imgs'] = list(read_forward(container, distinct.tolist()))
        give_to_clips(results, len(distinct), uses, copy=True)
        results['video_reader'] = None
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results


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
        turns = getattr(last, 'rotation', 0) // 90  # PyAV 13 does not tell
        yield np.ascontiguousarray(np.rot90(last.to_rgb().to_ndarray(), turns))
