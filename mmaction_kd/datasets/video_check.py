"""Check that videos can be decoded completely, to their last frame."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

import cv2

from mmaction_kd.datasets.container_length import how_cut
from mmaction_kd.datasets.reader_process import ReaderFault, isolated_map
from mmaction_kd.datasets.skip_bad_videos import OneByOneDataset, read_sample
from mmaction_kd.datasets.video_source import UnusableVideo, video_source

LEAST_SHARE = 0.9  # of the promised time; some containers give the longer audio track's


def check_frames(info: dict) -> None:
    """Decode all frames of a video.

    Args:
        info: annotation of MMAction2, of a video file or a folder of frames; others are not
            checked.

    Raises:
        UnusableVideo: a frame can not be decoded; there is none; or they end before their time.
    """
    if 'filename' not in info and 'filename_tmpl' not in info:
        return
    is_local_file = 'filename' in info and os.path.isfile(info['filename'])
    if is_local_file and (cut := how_cut(info['filename'])):
        raise UnusableVideo(cut)
    num_frames, read = video_source(info).open()
    if num_frames == 0:
        raise UnusableVideo('there is no frame')
    for index in range(num_frames):
        read(index)
    if is_local_file:
        _check_time(info['filename'])


def _check_time(path: str) -> None:
    """Check that there are frames up to the duration in the header.

    Where they end early, decord fails, repeats a frame, or takes what is there for all.
    """
    video = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
    fps, promised = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
    if fps <= 0 or promised <= 0:  # the header promises nothing
        return
    end = 0.0  # seconds
    while video.grab():
        end = max(end, video.get(cv2.CAP_PROP_POS_MSEC) / 1000 + 1 / fps)
    if end < LEAST_SHARE * promised / fps:
        raise UnusableVideo(f'the frames end at {end:.2f} s of {promised / fps:.2f} s')


def _check(dataset: OneByOneDataset, index: int) -> None:
    try:
        check_frames(dataset.get_data_info(index))
    except UnusableVideo as reason:
        raise ReaderFault(str(reason)) from reason
    read_sample(dataset, index)


def check_videos(
    dataset: OneByOneDataset, workers: int, timeout: float
) -> Iterator[tuple[int, ReaderFault | None]]:
    """Decode every frame of every video, and run the pipeline on it, in isolated processes.

    Args:
        dataset: of the videos.
        workers: number of processes.
        timeout: seconds per video.

    Returns:
        Index of a video and its fault or None, in the order of completion.
    """
    return isolated_map(functools.partial(_check, dataset), range(len(dataset)), workers, timeout)
