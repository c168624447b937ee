"""Report videos that could not be read, and leave them out of the metrics."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmaction.structures import ActionDataSample
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner, TestLoop, ValLoop

from mmaction_kd.datasets.bad_videos_file import (
    FILE_NAME,
    BadVideos,
    read_bad_videos,
    write_bad_videos,
)
from mmaction_kd.datasets.skip_bad_videos import (
    META_KEY,
    listed,
    skip_bad_videos_in,
    too_many_bad,
)
from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class BadVideosHook(Hook):
    """Gather the bad videos that SkipBadVideos found on all ranks.

    They are written to ``bad_videos.json`` in the work dir, by 'train', 'val' and 'test', with
    their reasons, and each once to the log. Above the ``max_share`` of the data set the run ends
    with the same error on all ranks.

    At validation and test a replacement is left out of the metrics, and of what later hooks count;
    the metrics get ``bad_videos``, the number of videos that are not scored, known ones included.
    Each metric must have one result per video, as MMEngine's collecting needs anyway.

    Args:
        interval: training iterations after which the ranks exchange what they found; they also do
            so at the end of an epoch. A kill loses what was found since; it is found again.
    """

    priority = 'HIGHEST'  # before RuntimeInfoHook takes the metrics to the log

    @checked_options
    def __init__(self, interval: Count = 100) -> None:
        self.interval = interval
        self._all: dict[str, BadVideos] = {}  # the same on all ranks after _share
        self._new: dict[str, dict[str, str]] = {}  # by this rank since _share
        self._scored = 0  # samples of this rank in this validation or test so far
        self._unscored: set[int] = set()  # indices among the results of all ranks

    # --- Training ---------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Begin the file, or resume it with the training."""
        self._start(runner, 'train', runner.train_dataloader.dataset, runner.iter > 0)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Record the bad videos that the batch's samples replace."""
        for sample in _samples(data_batch):
            self._new['train'] |= dict(sample.metainfo.get(META_KEY, ()))
        if self.every_n_train_iters(runner, self.interval):
            self._share(runner, 'train', runner.train_dataloader.dataset)

    def after_train_epoch(self, runner: Runner) -> None:
        self._share(runner, 'train', runner.train_dataloader.dataset)

    # --- Validation and test ----------------------------------------------------------------------

    def before_val_epoch(self, runner: Runner) -> None:
        self._start_scoring(runner, 'val', runner.val_loop)

    def before_test_epoch(self, runner: Runner) -> None:
        self._start_scoring(runner, 'test', runner.test_loop)

    def _after_iter(  # only of these two, as after_train_iter is overridden
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[ActionDataSample] | None = None,
        mode: str = 'val',
    ) -> None:
        if mode not in self._all:
            return
        loop = runner.val_loop if mode == 'val' else runner.test_loop
        for sample, output in zip(_samples(data_batch), outputs or (), strict=True):
            if META_KEY in sample.metainfo:
                self._new[mode] |= dict(sample.metainfo[META_KEY])
                # As mmengine.dist.collect_results puts the ranks' results together.
                self._unscored.add(self._scored * get_world_size() + get_rank())
                output.pop('pred_label', None)  # later hooks do not count it
            self._scored += 1
        for metric in loop.evaluator.metrics if self._unscored else ():
            if len(metric.results) != self._scored:
                raise RuntimeError(
                    f'{type(self).__name__}: a metric must have one result for each video, got '
                    f'{len(metric.results)} of {type(metric).__name__} for {self._scored}, one of '
                    'which is not to be scored; leave bad videos out before, with known= of '
                    'SkipBadVideos.'
                )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._end_scoring(runner, 'val', metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._end_scoring(runner, 'test', metrics)

    # --- Within -----------------------------------------------------------------------------------

    def _start(self, runner: Runner, name: str, dataset: Any, resumed: bool = False) -> None:
        path = Path(runner.work_dir) / FILE_NAME
        if not self._all and path.is_file():
            self._all = read_bad_videos(path)
        wrappers = skip_bad_videos_in(dataset)
        own = self._all.pop(name, BadVideos())
        if wrappers:
            bad = own.bad_videos if resumed else {}
            for wrapper in wrappers:
                wrapper.has_hook = True
                bad |= wrapper.left_out
            self._all[name] = BadVideos(sum(w.num_videos for w in wrappers), bad)
        self._new[name], self._scored, self._unscored = {}, 0, set()

    def _share(self, runner: Runner, name: str, dataset: Any) -> None:
        """Exchange what the ranks found; the first writes it, and all end above the share."""
        wrappers = skip_bad_videos_in(dataset)
        if not wrappers:
            return
        found = {k: v for part in all_gather_object(self._new[name]) for k, v in part.items()}
        self._new[name] = {}
        bad = self._all[name].bad_videos
        fresh = {path: reason for path, reason in found.items() if path not in bad}
        bad |= fresh
        for path, reason in fresh.items():
            runner.logger.warning(f'BadVideosHook: {path} can not be read: {reason}')
        if get_rank() == 0:
            write_bad_videos(Path(runner.work_dir) / FILE_NAME, self._all)
        num_videos = self._all[name].num_videos
        share = max(wrapper.max_share for wrapper in wrappers)
        if len(bad) / max(1, num_videos) > share:
            raise RuntimeError(too_many_bad(type(self).__name__, share, num_videos, bad))

    def _start_scoring(self, runner: Runner, name: str, loop: ValLoop | TestLoop) -> None:
        self._start(runner, name, loop.dataloader.dataset)
        if name in self._all:
            loop.evaluator.evaluate = functools.partial(self._evaluate, runner, name, loop)

    def _evaluate(self, runner: Runner, name: str, loop: ValLoop | TestLoop, size: int) -> dict:
        """Replace the evaluator's method: every rank comes here, also one without a batch."""
        evaluator = loop.evaluator
        for indices in all_gather_object(self._unscored):
            self._unscored |= indices
        self._share(runner, name, loop.dataloader.dataset)
        for metric in evaluator.metrics:
            metric.compute_metrics = functools.partial(
                _without, metric.compute_metrics, self._unscored
            )
        try:
            return type(evaluator).evaluate(evaluator, size)
        finally:
            del evaluator.evaluate  # the class's own again
            for metric in evaluator.metrics:
                del metric.compute_metrics

    def _end_scoring(self, runner: Runner, name: str, metrics: dict[str, float] | None) -> None:
        if name not in self._all:
            return
        found = self._all[name]
        if metrics is not None:
            metrics[META_KEY] = len(found.bad_videos)
        if found.bad_videos:
            runner.logger.warning(
                f'{type(self).__name__}: {found} could not be read and are not scored: '
                f'{listed(found.bad_videos)}'
            )


def _samples(data_batch: dict | None) -> Sequence[ActionDataSample]:
    return data_batch['data_samples'] if isinstance(data_batch, dict) else ()


def _without(compute_metrics: Callable[[list], dict], unscored: set[int], results: list) -> dict:
    return compute_metrics([r for index, r in enumerate(results) if index not in unscored])
