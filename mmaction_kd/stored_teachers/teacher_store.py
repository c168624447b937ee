"""The rows of a store: a memory-mapped .npy file for each teacher and shard, without pickle."""

from __future__ import annotations

import bisect
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from mmaction_kd.files.whole_file import naming_file, whole_file
from mmaction_kd.stored_teachers.logit_rows import (
    decode_row,
    encode_rows,
    row_check,
    row_dtype,
    unusable_row,
)
from mmaction_kd.stored_teachers.store_header import FILE, TOOL, StoreHeader, load_header

BLOCK = 2**20  # bytes


class StoredView(NamedTuple):
    """What a store knows of a view.

    Attributes:
        logits: of each teacher, (D,), float32.
        clip: CRC-32 of the clip.
    """

    logits: dict[str, np.ndarray]
    clip: int


class TeacherStore:
    """Rows of a store, to read and to write.

    View v of video i is row ``(i − first video of its shard) V + v``. A row counts only with the
    right check, so a store that was killed is gone on with, and no torn or altered row is believed.

    Args:
        folder: of the store.
        header: what it holds.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file has another size or layout than the header says.
    """

    def __init__(self, folder: str | Path, header: StoreHeader) -> None:
        self.folder = Path(folder)
        self.header = header
        self.fingerprint = header.fingerprint
        self._files: dict[str, list[np.memmap]] = {}
        self._streams: dict[Path, BinaryIO] = {}
        self._open()

    @classmethod
    def complete(cls, folder: str | Path) -> TeacherStore:
        """Open a store to train from.

        Args:
            folder: of the store.

        Returns:
            The store.

        Raises:
            FileNotFoundError: there is none, or a file of it is missing.
            ValueError: it is not complete, or a file has another size.
        """
        header = load_header(folder)
        if not header.complete:
            total = header.videos * header.views
            raise ValueError(
                f'Stored teachers: {folder} must be complete, got {cls._unwritten(folder, header)} '
                f'of {total} views missing; the command that began it, `{TOOL} CONFIG --out '
                f'{folder}`, goes on with it.'
            )
        return cls(folder, header)

    @classmethod
    def begin(cls, folder: str | Path, header: StoreHeader) -> StoreHeader:
        """Write ``store.json`` and empty files, or go on with a store that was begun alike.

        Args:
            folder: of the store.
            header: what it shall hold.

        Returns:
            The header; of a store that was begun, its own shards and batch size.

        Raises:
            ValueError: the store was begun with something else.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE).exists():
            begun = load_header(folder)
            begun.check(header, 'Stored teachers', folder, 'give the same, or another --out')
            header = begun
        else:
            header.save(folder)
        for name in header.teachers:
            for shard in range(len(header.shards) - 1):
                _make_file(folder, header, name, shard)
        return header

    @staticmethod
    def _unwritten(folder: str | Path, header: StoreHeader) -> int:
        try:
            store = TeacherStore(folder, header)
        except FileNotFoundError:
            return header.videos * header.views
        views = ((i, v) for i in range(header.videos) for v in range(header.views))
        return sum(not store.is_written(video, view) for video, view in views)

    def __getstate__(self) -> dict:
        """Without the maps, of which a pickle would hold the whole content."""
        return {**self.__dict__, '_files': {}, '_streams': {}}

    def _open(self) -> None:
        for name, shard in _all_files(self.header):
            path, expected = _path(self.folder, name, shard), _layout(self.header, name, shard)
            try:
                rows = np.load(path, mmap_mode='r', allow_pickle=False)
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f'Stored teachers: {path} must be there, shard {shard} of teacher {name!r}, '
                    f'got none; copy the whole folder, or let {TOOL} make the shard again.'
                ) from error
            except (ValueError, OSError, EOFError) as error:
                raise ValueError(
                    f'Stored teachers: {path} must be a whole .npy file, got: {error}; it is '
                    f'damaged: copy it again, or delete it and let {TOOL} make it again.'
                ) from error
            if (rows.shape, rows.dtype) != expected:
                raise ValueError(
                    f'Stored teachers: {path} must have {expected[0][0]} rows of {expected[1]}, '
                    f'got {rows.shape} of {rows.dtype}; it is of another store.'
                )
            self._files.setdefault(name, []).append(rows)

    def _row(self, name: str, video: int, view: int) -> tuple[np.memmap, int]:
        if not self._files:
            self._open()
        shard = bisect.bisect_right(self.header.shards, video) - 1
        row = (video - self.header.shards[shard]) * self.header.views + view
        return self._files[name][shard], row

    def _place(self, name: str, video: int, view: int) -> str:
        return f'{self.fingerprint} {name} {video} {view}'

    def _valid_row(self, name: str, video: int, view: int) -> np.void | None:
        rows, index = self._row(name, video, view)
        row = rows[index]
        return row if row['check'] == row_check(row, self._place(name, video, view)) else None

    def is_written(self, video: int, view: int) -> bool:
        """Whether all teachers have a valid row of a view."""
        return all(self._valid_row(name, video, view) is not None for name in self.header.teachers)

    def read(self, video: int, view: int) -> StoredView | None:
        """What is stored of a view.

        Args:
            video: its place in the data set.
            view: 0 to V − 1.

        Returns:
            The logits and the clip's CRC-32; None where the view could not be made.

        Raises:
            ValueError: a row is damaged.
        """
        logits, clip = {}, 0
        for name, teacher in self.header.teachers.items():
            row = self._valid_row(name, video, view)
            if row is None:
                raise ValueError(
                    f'Stored teachers: the row of video {video}, view {view}, teacher {name!r} in '
                    f'{self.folder} must have the right check, got another; the file is damaged: '
                    f'{TOOL} makes such rows again.'
                )
            if np.isnan(row['largest']):
                return None
            logits[name] = decode_row(row, len(teacher.classes))
            clip = int(row['clip'])
        return StoredView(logits, clip)

    def kept_columns(self, name: str, video: int, view: int) -> np.ndarray:
        """Which of a teacher's logits the row of a view holds; the others are approximate."""
        rows, index = self._row(name, video, view)
        if 'columns' in (rows.dtype.names or ()):
            return rows[index]['columns']
        return np.arange(len(self.header.teachers[name].classes))

    def write(
        self,
        name: str,
        views: list[tuple[int, int]],
        logits: np.ndarray,
        labels: np.ndarray,
        clips: np.ndarray,
    ) -> None:
        """Store what a teacher said.

        Args:
            name: of the teacher.
            views: video and view of each, N.
            logits: (N, D).
            labels: see :func:`~mmaction_kd.stored_teachers.logit_rows.encode_rows`.
            clips: likewise.

        Raises:
            OSError: the disk does not take it.
        """
        self._put(name, views, encode_rows(logits, labels, clips, self.header.top_k))

    def write_unusable(self, video: int, view: int) -> None:
        """Mark a view that could not be made."""
        for name, teacher in self.header.teachers.items():
            row = unusable_row(len(teacher.classes), self.header.top_k)
            self._put(name, [(video, view)], row)

    def _put(self, name: str, views: list[tuple[int, int]], rows: np.ndarray) -> None:
        """By ordinary writes: one through the map ends the process where the disk is full."""
        for (video, view), row in zip(views, rows, strict=True):
            row['check'] = row_check(row, self._place(name, video, view))
            target, index = self._row(name, video, view)
            path = Path(str(target.filename))
            with naming_file(path):
                if path not in self._streams:
                    self._streams[path] = open(path, 'r+b')  # noqa: SIM115  (as long as the store)
                self._streams[path].seek(target.offset + index * target.itemsize)
                self._streams[path].write(row.tobytes())
                self._streams[path].flush()

    def flush(self) -> None:
        """Bring all that was written to the disk."""
        for path, stream in self._streams.items():
            with naming_file(path):
                os.fsync(stream.fileno())

    def finish(self, unusable: Mapping[str, str]) -> None:
        """Mark it as complete.

        Args:
            unusable: key of each video of which a view could not be made, and why.
        """
        done = dataclasses.replace(self.header, complete=True, unusable=dict(unusable))
        done.save(self.folder)


def _all_files(header: StoreHeader) -> Iterator[tuple[str, int]]:
    return ((name, shard) for name in header.teachers for shard in range(len(header.shards) - 1))


def _path(folder: Path, name: str, shard: int) -> Path:
    return folder / f'{name}-{shard:04}.npy'


def _layout(header: StoreHeader, name: str, shard: int) -> tuple[tuple[int], np.dtype]:
    first, end = header.shards[shard : shard + 2]
    dtype = row_dtype(len(header.teachers[name].classes), header.top_k)
    return ((end - first) * header.views,), dtype


def _make_file(folder: Path, header: StoreHeader, name: str, shard: int) -> None:
    """Zeros, and not a hole: there is room for all rows before the first is computed."""
    path = _path(folder, name, shard)
    if not path.exists():
        (length,), dtype = _layout(header, name, shard)
        layout = dict(
            descr=np.lib.format.dtype_to_descr(dtype), fortran_order=False, shape=(length,)
        )
        with whole_file(path) as file:
            np.lib.format.write_array_header_1_0(file, layout)
            for start in range(0, length * dtype.itemsize, BLOCK):
                file.write(bytes(min(BLOCK, length * dtype.itemsize - start)))
