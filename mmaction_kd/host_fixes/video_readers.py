"""What the readers do to files that are not as they expect."""

from __future__ import annotations

import functools
import io
import os.path
from collections.abc import Callable
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, release, source_of, version_of
from mmaction_kd.utils.held_back_stderr import held_back_stderr


def _decord_prints_the_file() -> bool:
    return () < release(version_of('decord')) <= (0, 6, 0)


def _open_silently(decord: Any) -> None:
    host_init = decord.VideoReader.__init__

    @functools.wraps(host_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        with held_back_stderr():
            host_init(self, *args, **kwargs)

    decord.VideoReader.__init__ = init


def _opencv_takes_any_file() -> bool:
    reader = source_of('mmcv.video.io').partition('class VideoReader')[2]
    opening = reader.partition('def vcap')[0]
    return 'cv2.VideoCapture(filename)' in opening and 'isOpened' not in opening


def _open_or_refuse(video_io: Any) -> None:
    host_init = video_io.VideoReader.__init__

    @functools.wraps(host_init)
    def init(self: Any, filename: str, *args: Any, **kwargs: Any) -> None:
        with held_back_stderr():
            host_init(self, filename, *args, **kwargs)
            if not self.opened:
                raise OSError(f'OpenCV can not open {filename}')

    video_io.VideoReader.__init__ = init


def _names_get_an_ending() -> bool:
    return "filename = filename + '.mp4'" in source_of('mmaction.datasets.transforms.loading')


def as_named(filename: str, is_file: Callable[[str], bool]) -> str:
    """Return the path, or that with ``.mp4`` where only this file exists.

    MMAction2 takes ``clips/a`` for ``clips/a.mp4`` with decord, as some lists need.

    Args:
        filename: path.
        is_file: checks whether there is such a file.
    """
    if os.path.splitext(filename)[1]:
        return filename
    try:
        other = not is_file(filename) and is_file(f'{filename}.mp4')
    except (AttributeError, NotImplementedError):  # a storage without isfile: as the host does
        other = True
    return f'{filename}.mp4' if other else filename


def _open_as_named(loading: Any) -> None:
    def get_video_reader(self: Any, filename: str) -> Any:
        import decord

        if self.file_client is None:
            self.file_client = loading.FileClient(self.io_backend, **self.kwargs)
        content = self.file_client.get(as_named(filename, self.file_client.isfile))
        return decord.VideoReader(io.BytesIO(content), num_threads=self.num_threads)

    loading.DecordInit._get_video_reader = get_video_reader


FIXES = (
    Fix(
        name='decord prints the content of a file that is no video',
        hosts=('decord',),
        module='decord',
        fault=_decord_prints_the_file,
        patch=_open_silently,
        remedy='remove such files from the annotations',
    ),
    Fix(
        name='mmcv.VideoReader takes any file for a video: __len__() should return >= 0',
        hosts=('mmcv', 'mmcv-lite'),
        module='mmcv.video.io',
        fault=_opencv_takes_any_file,
        patch=_open_or_refuse,
        remedy='remove such files from the annotations',
    ),
    Fix(
        name='DecordInit looks for FILE.mp4 where FILE has no ending',
        hosts=('mmaction2',),
        module='mmaction.datasets.transforms.loading',
        fault=_names_get_an_ending,
        patch=_open_as_named,
        remedy='give the files an ending',
    ),
)
