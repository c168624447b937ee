"""Motion of many videos, on many cores."""

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
    """Return the cores of this process; under a launcher, its share of the machine's."""
    affinity = getattr(os, 'sched_getaffinity', None)  # macOS and Windows have none
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)), 1)


def _end_when_orphaned(parent: Connection) -> None:
    parent.poll(None)  # until the parent closes its end or dies
    os._exit(1)


def _start_worker(parent: Connection) -> None:
    cv2.setNumThreads(1)  # the workers are the parallelism, and no sum may depend on a split
    threading.Thread(target=_end_when_orphaned, args=[parent], daemon=True).start()


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
                with _sigint_blocked():
                    started = pool.submit(int)
                started.result()
            except BrokenProcessPool:
                continue
            with _sigint_blocked():
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
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT, for processes that are started within; the parent handles it."""
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
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(theirs,))
    try:
        yield pool
    except BaseException:
        ours.close()  # ends the workers within a video, which may be hours long
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
    """Measure videos in worker processes, in order of completion.

    A video that crashes the decoder ends its process, and with that the pool. The videos in
    progress are then measured again, each in a process of its own, which identifies the bad one;
    the others continue in a new pool. To stop early, close the generator, which ends the workers at
    once.

    Args:
        videos: by name.
        settings: of the measurement.
        workers: number of processes.

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
