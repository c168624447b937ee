"""Videos that can not be read are replaced and reported; the run continues."""

from __future__ import annotations

import functools
import logging
import math
import os.path
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import print_log
from mmengine.registry import DATASETS as ROOT_DATASETS

from mmaction_kd.datasets.bad_videos_file import reasons_by_path, video_name
from mmaction_kd.datasets.part_of_dataset import Choose, Part, part_of
from mmaction_kd.datasets.random_numbers import seed_all
from mmaction_kd.datasets.reader_process import ReaderFault, ReaderProcess
from mmaction_kd.datasets.video_backends import other_readers, used_backend
from mmaction_kd.options import Positive, Range, checked_options
from mmaction_kd.registry import DATASETS

META_KEY = 'bad_videos'  # of a sample: [(path, reason), ...] that it replaces
UNLIKELY = 1e-12
SHOWN = 10


@runtime_checkable
class OneByOneDataset(Protocol):
    """Interface that SkipBadVideos needs; every BaseDataset of MMEngine has it."""

    @property
    def test_mode(self) -> bool:
        """Whether its videos are scored, so that none may be replaced."""

    @property
    def metainfo(self) -> dict:
        """As in MMEngine."""

    def full_init(self) -> None:
        """Load the annotations."""

    def __len__(self) -> int: ...

    def get_data_info(self, idx: int) -> dict:
        """Return a video's annotation; its path is under ``filename`` or ``frame_dir``."""

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on exactly this video; raise an error or return None if it fails."""


@DATASETS.register_module()
class SkipBadVideos:
    """Wrap a data set: replace videos that can not be read.

    A video is bad when the pipeline raises any error or returns None for it, as readers raise
    errors of many types. A mistake in the pipeline makes all videos bad and so ends the run at
    once, with the first error's traceback.

    In training a bad video is replaced by the next good one of a sequence that depends on (seed,
    index of the video) alone: not on the worker, the order or the random state. (A partly damaged
    video may be readable in some clips only, and not always in the same ones, as decord reads
    ahead; ``known`` makes it bad in every run.) In test mode a replacement is never scored: either
    BadVideosHook is there, which leaves it out of the metrics and reports the video, or the test
    ends with an error.

    A replacement lists the bad videos in its metainfo ``bad_videos``, [(path, reason), ...], from
    which BadVideosHook makes ``bad_videos.json``. Where another reader can read the file, the
    reason names it; PathwayPipelines(backend='auto') or AutoVideoInit then reads such a video.

    Damage that a reader hides goes unnoticed: a frame that it repeats where others are missing, or
    the part of one that it guesses. tools/data/check_videos.py finds such videos; give its list as
    ``known``.

    Args:
        dataset: config of a data set of MMAction2, or any :class:`OneByOneDataset`. Wrappers of
            MMEngine go around this one.
        max_share: ratio in [0, 1) of bad videos above which the run ends.
        seed: of the choice of replacements, 0 or more.
        reader_timeout: seconds after which reading is aborted. The pipeline then runs in a process
            of its own beside each worker, so that a reader that crashes or hangs costs one video,
            and this time in each epoch. None reads in the worker itself, where such a reader ends
            the run, or never returns.
        known: file of bad videos, as BadVideosHook and tools/data/check_videos.py write it. They
            are left out of the data set, in test mode too.
        lazy_init: as in MMEngine's wrappers.

    Raises:
        TypeError: ``dataset`` is not a :class:`OneByOneDataset`.
        ValueError: too many videos are known to be bad.
        FileNotFoundError: there is no file ``known``.
    """

    @checked_options
    def __init__(
        self,
        dataset: OneByOneDataset | dict,
        max_share: Annotated[float, Range(0, below=1)] = 0.1,
        seed: Annotated[int, Range(0)] = 0,
        reader_timeout: Positive | None = None,
        known: str | Path | None = None,
        lazy_init: bool = False,
    ) -> None:
        me = type(self).__name__
        self.dataset = ROOT_DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if not isinstance(self.dataset, OneByOneDataset):
            raise TypeError(
                f'{me}: dataset must have test_mode and prepare_data, as a BaseDataset of MMEngine '
                f'has, got {type(self.dataset).__name__}; put {me} inside of that wrapper.'
            )
        self.max_share, self.seed, self.known = max_share, seed, known
        self.reader_timeout = reader_timeout
        self.has_hook = False
        """Whether BadVideosHook leaves replacements out of the metrics."""
        self._read = functools.partial(read_sample, self.dataset)
        if reader_timeout is not None:
            self._read = ReaderProcess(self._read, reader_timeout)  # type: ignore[assignment]
        self._found: dict[str, str] = {}  # by this process, reasons by path
        self._first_trace = ''
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        return self.dataset.metainfo

    @property
    def test_mode(self) -> bool:
        return self.dataset.test_mode

    def full_init(self) -> None:
        """Load the annotations and leave out the known bad videos."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self.num_videos = len(self.dataset)
        """Videos that are left out included."""
        self.left_out: dict[str, str] = {}
        """Known bad videos, reasons by path."""
        self._indices = list(range(self.num_videos))
        if self.known is not None:
            self._leave_out(reasons_by_path(self.known))
        if self._is_over(len(self.left_out)):
            raise ValueError(self._too_many(self.left_out))
        self._fully_initialized = True

    def _leave_out(self, known: dict[str, str]) -> None:
        """Drop the known bad videos, by their absolute paths."""
        names = [video_name(self.dataset.get_data_info(i), i) for i in self._indices]
        reasons = [known.get(os.path.abspath(name)) for name in names]
        self._indices = [i for i in self._indices if reasons[i] is None]
        self.left_out = {n: r for n, r in zip(names, reasons, strict=True) if r is not None}
        if self.left_out:
            print_log(
                f'{type(self).__name__}: {len(self.left_out)} of {self.num_videos} videos are left '
                f'out, as {self.known} lists them: {listed(self.left_out)}',
                logger='current',
                level=logging.WARNING,
            )

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return a video's annotation, counted among those that are not left out."""
        return self.dataset.get_data_info(self._indices[idx])

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on exactly this video; raise an error or return None if it is bad."""
        return self.dataset.prepare_data(self._indices[idx])

    def part(self, choose: Choose) -> Part:
        """Select videos; see :func:`~mmaction_kd.datasets.part_of_dataset.part_of`."""
        self.full_init()
        inner, kept = part_of(self.dataset, choose)
        part = type(self)(inner, self.max_share, self.seed, self.reader_timeout, self.known)
        own = set(kept)
        return part, [new for new, index in enumerate(self._indices) if index in own]

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        """Return a video's sample, or that of its replacement.

        Raises:
            RuntimeError: too many videos are bad; or this one is and must be scored.
        """
        bad: list[tuple[str, str]] = []
        for candidate in self._candidates(idx):
            try:
                sample = self._sample(self._indices[candidate])
            except ReaderFault as fault:
                name = video_name(self.get_data_info(candidate), self._indices[candidate])
                bad.append((name, fault.reason))
                self._first_trace = self._first_trace or fault.trace
                self._found[name] = fault.reason
                if self.test_mode and not self.has_hook:
                    raise RuntimeError(self._not_scored(*bad[0])) from None
                if self._is_over(len(self._found) + len(self.left_out)):
                    text = self._too_many(self._found | self.left_out)
                    raise RuntimeError(f'{text}\n{self._first_trace}') from None
            else:
                return _marked(sample, bad) if bad else sample
        raise RuntimeError(f'{self._too_many(dict(bad), " in a row")}\n{self._first_trace}')

    def _sample(self, index: int) -> Any:
        if self.reader_timeout is None:
            return self._read(index)
        # The reader process has a random state of its own: seed it from this one.
        return self._read(index, int(np.random.randint(2**31)))

    def _candidates(self, idx: int) -> Iterator[int]:
        """Yield ``idx``, then replacements; as many as are never all bad by chance."""
        yield idx
        longest = math.ceil(math.log(UNLIKELY) / math.log(max(self.max_share, UNLIKELY)))
        random, tried = np.random.default_rng((self.seed, idx % len(self))), {idx % len(self)}
        while len(tried) < min(longest, len(self)):
            candidate = int(random.integers(len(self)))
            if candidate not in tried:
                tried.add(candidate)
                yield candidate

    def _is_over(self, num_bad: int) -> bool:
        return num_bad / max(1, self.num_videos) > self.max_share

    def _too_many(self, bad: dict[str, str], how: str = '') -> str:
        return too_many_bad(type(self).__name__, self.max_share, self.num_videos, bad, how)

    def _not_scored(self, name: str, reason: str) -> str:
        return (
            f'{type(self).__name__}: a video of a test must be readable, got {name}: {reason}; add '
            "custom_hooks=[dict(type='mmaction_kd.BadVideosHook')], which leaves it out of the "
            "metrics and reports it, or give known='bad_videos.json', which "
            'tools/data/check_videos.py makes.'
        )


def read_sample(dataset: OneByOneDataset, index: int, seed: int | None = None) -> Any:
    """Run the pipeline on a video.

    Args:
        dataset: see :class:`OneByOneDataset`.
        index: of the video.
        seed: of the transforms' random numbers. None: the process's own state.

    Returns:
        What the pipeline returned.

    Raises:
        ReaderFault: it raised an error, or returned None.
    """
    if seed is not None:
        seed_all(seed)
    try:
        sample = dataset.prepare_data(index)
    except Exception as error:
        fault = ReaderFault.of(error)
        if others := _other_readers(dataset, index):
            fault = ReaderFault(f'{fault.reason}; {others}', fault.trace)
        raise fault from error
    if sample is None:
        raise ReaderFault('the pipeline returned None')
    return sample


def _other_readers(dataset: OneByOneDataset, index: int) -> str:
    """Name the readers that can read a video; PathwayPipelines does so by itself."""
    used = used_backend(getattr(getattr(dataset, 'pipeline', None), 'transforms', ()))
    name = dataset.get_data_info(index).get('filename') if used else None
    return other_readers(str(name), used) if used and name else ''


def listed(bad: dict[str, str]) -> str:
    """List the first few bad videos, reasons by path, and the number of the others."""
    texts = [f'{name} ({reason})' for name, reason in list(bad.items())[:SHOWN]]
    more = len(bad) - len(texts)
    return ', '.join(texts) + (f' and {more} more' if more else '')


def too_many_bad(
    owner: str, max_share: float, num_videos: int, bad: dict[str, str], how: str = ''
) -> str:
    """Return the error text for more bad videos than ``max_share`` allows.

    Args:
        owner: the component.
        max_share: ratio of bad videos that is allowed.
        num_videos: of the data set.
        bad: reasons by path.
        how: they were found.
    """
    return (
        f'{owner}: at most {max_share:g} of the {num_videos} videos may be bad, got {len(bad)} bad '
        f'ones{how}: {listed(bad)}; fix or remove them, or raise max_share. If the reasons are all '
        'alike, look at the paths and at the pipeline first.'
    )


def skip_bad_videos_in(dataset: Any) -> list[SkipBadVideos]:
    """Return each SkipBadVideos in a data set, whatever wraps it."""
    if isinstance(dataset, SkipBadVideos):
        return [dataset]
    inner = [getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())]
    return [found for part in inner if part is not None for found in skip_bad_videos_in(part)]


def _marked(sample: Any, bad: Sequence[tuple[str, str]]) -> Any:
    """Record in a sample the bad videos that it replaces."""
    first = sample[0] if isinstance(sample, list) else sample  # RepeatAugDataset gives several
    if not isinstance(first, dict) or 'data_samples' not in first:
        raise TypeError(
            'SkipBadVideos: a sample must have data_samples, as PackActionInputs makes, got '
            f'{sorted(first) if isinstance(first, dict) else type(first).__name__}; end the '
            'pipeline with PackActionInputs.'
        )
    first['data_samples'].set_metainfo({META_KEY: list(bad)})
    return sample
