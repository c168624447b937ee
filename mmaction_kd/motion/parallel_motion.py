"""The motion of many videos, on many cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import cv2

from mmaction_kd.motion.gray_frames import UnusableVideo, VideoSource
from mmaction_kd.motion.video_motion import MotionSettings, video_motion


def available_cores() -> int:
    """Cores that this process may use; under a launcher, its share of the machine's."""
    affinity = getattr(os, 'sched_getaffinity', None)  # macOS and Windows have none
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)), 1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _start_worker() -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism, and no sum may depend on a split
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()  # it may have been killed


def _motion_or_reason(video: VideoSource, settings: MotionSettings) -> float | UnusableVideo:
    try:
        return video_motion(video, settings)
    except UnusableVideo as reason:
        return reason


def _in_pool(
    videos: Mapping[str, VideoSource], settings: MotionSettings, workers: int
) -> Iterator[tuple[str, float | UnusableVideo]]:
    pool = ProcessPoolExecutor(
        min(workers, len(videos)),
        # Started anew, not forked: the caller may run threads of torch.distributed.
        mp_context=multiprocessing.get_context('spawn'),
        initializer=_start_worker,
    )
    try:
        pool.submit(int).result()
    except BrokenProcessPool as error:
        raise ChildProcessError(
            'parallel_motion: worker processes must be able to start, got one that died at once; '
            "a script must call this below `if __name__ == '__main__':`."
        ) from error
    try:
        names = {
            pool.submit(_motion_or_reason, video, settings): name for name, video in videos.items()
        }
        for future in as_completed(names):
            yield names[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(video: VideoSource, settings: MotionSettings) -> float | UnusableVideo:
    try:
        return dict(_in_pool({'': video}, settings, workers=1))['']
    except BrokenProcessPool:
        return UnusableVideo('decoding it ends the process')


def parallel_motion(
    videos: Mapping[str, VideoSource], settings: MotionSettings, workers: int
) -> Iterator[tuple[str, float | UnusableVideo]]:
    """Measure videos, whichever is ready first.

    A video that crashes the decoder takes its process with it, and with that the pool. Those that
    were begun then are measured again, each in a process of its own, which shows the bad one; the
    rest goes on in a new pool.

    Args:
        videos: by name.
        settings: how they are looked at.
        workers: processes.

    Yields:
        Name and motion, pixels per frame, or the reason why there is none.

    Raises:
        ChildProcessError: processes can not be started.
    """
    left = dict(videos)
    while left:
        try:
            for name, motion in _in_pool(left, settings, workers):
                del left[name]
                yield name, motion
        except BrokenProcessPool:
            for name in list(left)[: workers + 1]:  # in order: one for each, and one in the queue
                yield name, _alone(left.pop(name), settings)
