"""The logits of a store: a memory-mapped .npy file for each shard of the videos, without pickle."""

from __future__ import annotations

import bisect
import dataclasses
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmaction_kd.stored_teachers.store_header import FILE, TOOL, StoreHeader, load_header
from mmaction_kd.utils.atomic_file import atomic_file

LARGEST_GAP = np.finfo(np.float16).max
View = tuple[int, int]
"""A video's index in the data set, and which of its views."""


class StoredView(NamedTuple):
    """What a store holds of a view.

    Attributes:
        logits: of each teacher, (D,), float32.
        clip: CRC-32 of the clip.
    """

    logits: dict[str, np.ndarray]
    clip: int


def row_dtype(widths: Mapping[str, int]) -> np.dtype:
    """The layout of a row, which is a view.

    ::

        clip        CRC-32 of the clip
        logits.t    of each teacher t
            largest max z, float32; NaN: the view could not be made
            gaps    z − max z, float16

    A gap has 11 bits, so the classes that matter are nearly exact: the error of a logit that lies g
    below the largest is at most g/2048.

    Args:
        widths: D of each teacher, the outputs of its head.

    Returns:
        A structured type of 4 + Σ (2 D + 4) bytes.
    """
    teachers = [
        (name, [('largest', '<f4'), ('gaps', '<f2', (width,))]) for name, width in widths.items()
    ]
    return np.dtype([('clip', '<u4'), ('logits', teachers)])


class TeacherStore:
    """Shards of a store, to read and to write.

    View v of video i is row ``(i − first video of its shard) V + v``. A shard is written
    atomically, so one that is there is complete. ``store.json`` has the CRC-32 of each once all are
    there.

    Args:
        folder: of the store.
        header: what it holds.
    """

    def __init__(self, folder: str | Path, header: StoreHeader) -> None:
        self.folder = Path(folder)
        self.header = header
        self.dtype = row_dtype({name: len(t.classes) for name, t in header.teachers.items()})
        self._shards: dict[int, np.ndarray] = {}

    @classmethod
    def complete(cls, folder: str | Path) -> TeacherStore:
        """Open a store to train from.

        Args:
            folder: of the store.

        Returns:
            The store.

        Raises:
            FileNotFoundError: there is none, or a shard is missing.
            ValueError: it is not complete, or a shard is damaged or of another store.
        """
        header = load_header(folder)
        store = cls(folder, header)
        if not header.complete:
            missing = [shard for shard in header.shard_range if not store._path(shard).exists()]
            raise ValueError(
                f'Stored teachers: {folder} must be complete, got {len(missing)} of '
                f'{len(header.shard_range)} shards missing; the command that began it, `{TOOL} '
                f'CONFIG --out {folder}`, resumes it.'
            )
        for shard in header.shard_range:
            store._rows(shard)
        return store

    @classmethod
    def begin(cls, folder: str | Path, header: StoreHeader) -> TeacherStore:
        """Write ``store.json``, or resume a store that was begun with the same.

        Args:
            folder: of the store.
            header: what it shall hold.

        Returns:
            The store; of one that was begun, with its own shards and batch size.

        Raises:
            ValueError: the store was begun with something else.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / FILE).exists():
            begun = load_header(folder)
            begun.check(header, 'Stored teachers', folder, 'give the same, or another --out')
            return cls(folder, begun)
        header.save(folder)
        return cls(folder, header)

    def __getstate__(self) -> dict:
        """Leave out the maps: a pickle would hold all of their content."""
        return {**self.__dict__, '_shards': {}}

    def views(self, shard: int) -> list[View]:
        """Return the views of a shard, in the order of its rows."""
        first, end = self.header.shards[shard : shard + 2]
        return [(video, view) for video in range(first, end) for view in range(self.header.views)]

    def read(self, video: int, view: int) -> StoredView | None:
        """Read a view.

        Args:
            video: its index in the data set.
            view: 0 to V − 1.

        Returns:
            The logits and the clip's CRC-32; None where the view could not be made.
        """
        shard = bisect.bisect_right(self.header.shards, video) - 1
        first = self.header.shards[shard]
        row = self._rows(shard)[(video - first) * self.header.views + view]
        logits = {}
        for name in self.header.teachers:
            stored = row['logits'][name]
            if np.isnan(stored['largest']):
                return None
            logits[name] = stored['largest'] + stored['gaps'].astype(np.float32)
        return StoredView(logits, int(row['clip']))

    def is_done(self, shard: int) -> bool:
        """Whether a shard is there, undamaged, and has all views."""
        try:
            rows = self._rows(shard)
        except (FileNotFoundError, ValueError):
            return False
        return not any(np.isnan(rows['logits'][n]['largest']).any() for n in self.header.teachers)

    def write(self, shard: int, content: Mapping[View, StoredView]) -> None:
        """Write a shard.

        Args:
            shard: its number.
            content: its views; those that are left out could not be made.

        Raises:
            OSError: it can not be written; the error names the file.
        """
        views = self.views(shard)
        rows = np.zeros(len(views), self.dtype)
        for row, view in zip(rows, views, strict=True):
            for name in self.header.teachers:
                target = row['logits'][name]
                target['largest'] = np.nan
                if view in content:
                    logits = np.asarray(content[view].logits[name], dtype=np.float32)
                    target['largest'] = logits.max()
                    target['gaps'] = np.maximum(logits - logits.max(), -LARGEST_GAP)
                    row['clip'] = content[view].clip
        self._shards.pop(shard, None)
        with atomic_file(self._path(shard)) as file:
            np.save(file, rows, allow_pickle=False)

    def finish(self, unusable: Mapping[str, str]) -> None:
        """Mark the store as complete, with the CRC-32 of each shard.

        Args:
            unusable: key of each video of which a view could not be made, and why.
        """
        self._shards.clear()
        self.header = dataclasses.replace(self.header, checksums=())  # those of before
        checksums = tuple(zlib.crc32(self._rows(shard).data) for shard in self.header.shard_range)
        self.header = dataclasses.replace(self.header, checksums=checksums, unusable=dict(unusable))
        self.header.save(self.folder)

    def _path(self, shard: int) -> Path:
        return self.folder / f'shard-{shard:04}.npy'

    def _rows(self, shard: int) -> np.ndarray:
        """A shard, which is checked when it is opened."""
        if shard in self._shards:
            return self._shards[shard]
        path, length = self._path(shard), len(self.views(shard))
        try:
            rows = np.load(path, mmap_mode='r', allow_pickle=False)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'Stored teachers: {path} must be there, got none; copy the whole folder, or let '
                f'{TOOL} make the shard again.'
            ) from error
        except (ValueError, OSError, EOFError) as error:
            raise self._damaged(path, str(error)) from error
        if rows.shape != (length,) or rows.dtype != self.dtype:
            raise ValueError(
                f'Stored teachers: {path} must have {length} rows of {self.dtype}, got '
                f'{rows.shape} of {rows.dtype}; it is of another store.'
            )
        if self.header.complete and zlib.crc32(rows.data) != self.header.checksums[shard]:
            raise self._damaged(path, 'another checksum than store.json has')
        self._shards[shard] = rows
        return rows

    def _damaged(self, path: Path, got: str) -> ValueError:
        return ValueError(
            f'Stored teachers: {path} must be as {TOOL} wrote it, got: {got}; it is damaged or of '
            f'another store: copy it again, or let {TOOL} make it again.'
        )
