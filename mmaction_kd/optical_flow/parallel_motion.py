"""The motion of many videos, on many cores."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

import cv2

from mmaction_kd.datasets.video_source import UnusableVideo, VideoSource
from mmaction_kd.optical_flow.video_motion import MotionSettings, video_motion

TRIES = 2  # a process may have died by no fault of its video: the system was out of memory


def available_cores() -> int:
    """Cores that this process may use; under a launcher, its share of the machine's."""
    affinity = getattr(os, 'sched_getaffinity', None)  # macOS and Windows have none
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)), 1)


def _end_when_unwanted(wanted: Connection) -> None:
    wanted.poll(None)  # until its other end is closed, by the parent or by a kill of the parent
    os._exit(1)


def _start_worker(wanted: Connection) -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism, and no sum may depend on a split
    threading.Thread(target=_end_when_unwanted, args=[wanted], daemon=True).start()


def _motion_or_reason(video: VideoSource, settings: MotionSettings) -> float | UnusableVideo:
    try:
        return video_motion(video, settings)
    except UnusableVideo as reason:
        return reason


def _in_pool(
    videos: Mapping[str, VideoSource], settings: MotionSettings, workers: int
) -> Iterator[tuple[str, float | UnusableVideo]]:
    for _ in range(TRIES):
        with _pool(min(workers, len(videos))) as pool:
            try:
                with _deaf_to_ctrl_c():
                    started = pool.submit(int)
                started.result()
            except BrokenProcessPool:
                continue
            with _deaf_to_ctrl_c():
                names = {
                    pool.submit(_motion_or_reason, video, settings): name
                    for name, video in videos.items()
                }
            for future in as_completed(names):
                yield names[future], future.result()
            return
    raise ChildProcessError(
        'parallel_motion: worker processes must be able to start, got one that died at once, '
        f"{TRIES} times; a script must call this below `if __name__ == '__main__':`."
    )


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """For processes that are started within: it is the parent's to answer."""
    if not hasattr(signal, 'pthread_sigmask'):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # Started anew, not forked: the caller may run threads of torch.distributed.
    context = multiprocessing.get_context('spawn')
    wanted, unwanted = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(wanted,))
    try:
        yield pool
    except BaseException:
        unwanted.close()  # ends the workers within a video, which may be hours long
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(video: VideoSource, settings: MotionSettings) -> float | UnusableVideo:
    for _ in range(TRIES):
        try:
            return dict(_in_pool({'': video}, settings, workers=1))['']
        except BrokenProcessPool:
            continue
    return UnusableVideo('decoding it ends the process')


def parallel_motion(
    videos: Mapping[str, VideoSource], settings: MotionSettings, workers: int
) -> Generator[tuple[str, float | UnusableVideo]]:
    """Measure videos, whichever is ready first.

    A video that crashes the decoder takes its process with it, and with that the pool. Those that
    were begun then are measured again, each in a process of its own, which shows the bad one; the
    rest goes on in a new pool. Who leaves off before the end closes the generator, so that the
    workers end at once.

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
