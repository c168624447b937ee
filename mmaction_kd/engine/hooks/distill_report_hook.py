"""A page that shows what distillation does, while it trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Sized
from pathlib import Path
from typing import Annotated

import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import get_rank, get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner
from mmengine.visualization import LocalVisBackend

from mmaction_kd.datasets.class_subsets import load_subsets, read_classes, subsets_file
from mmaction_kd.observations import DOMINANCE, RESPONSIBLE, take_observations
from mmaction_kd.options import Range, checked_options
from mmaction_kd.registry import HOOKS
from mmaction_kd.report.class_counts import ObservationSums, PredictionCounts
from mmaction_kd.report.page import run_page
from mmaction_kd.report.run import load_run
from mmaction_kd.report.run_record import RunRecord
from mmaction_kd.utils.atomic_file import write_atomically

PAGE_FILE = 'distill_report.html'
FIRST_GUESS = 5.0  # seconds that a page takes, until one was written
PARTS_WITHOUT_EPOCHS = 100  # of a training in iterations: a line of the record for each


@HOOKS.register_module()
class DistillReportHook(Hook):
    """Write ``distill_report.html`` into the work dir: losses, accuracies, who teaches whom.

    Per class it counts what the losses observed of each sample (dominance, weights of the
    teachers) and what is taken for what in validations and tests, with the fusion weights. Of a
    model without distillation the page shows the rest. What was counted is in
    ``distill_record.jsonl``, and as scalars in each visualisation backend but the local one, whose
    ``scalars.json`` stays MMEngine's own. ``tools/analysis_tools/run_report.py`` writes the page
    anew, and against a baseline.

    Args:
        max_share: how much of the training's time this hook may take, in [0, 1): the page waits
            where it would take more. At the end of a training and of a test it is always written.
        baseline: work dir of a run to compare with.
        classes: names of the classes, or the path of a file with one a line; without, those of the
            data set or of its file of subsets.

    Raises:
        FileNotFoundError: there is no such file of classes.
    """

    priority = 'LOW'  # after the LoggerHook, whose lines the page shows

    @checked_options
    def __init__(
        self,
        max_share: Annotated[float, Range(0, below=1)] = 0.01,
        baseline: str | None = None,
        classes: str | Sequence[str] | None = None,
    ) -> None:
        self.max_share = max_share
        self.baseline = baseline
        if isinstance(classes, str):
            classes = read_classes(classes, 'DistillReportHook')
        self.classes = tuple(classes or ())
        self.clock: Callable[[], float] = time.perf_counter
        self.spent = 0.0  # seconds
        self.page_seconds = FIRST_GUESS
        self._began = self.clock()
        self._observed = ObservationSums()
        self._predicted = PredictionCounts(0)

    # --- Training ---------------------------------------------------------------------------------

    def before_train(self, runner: Runner) -> None:
        """Begin the record, or resume it with the training."""
        self._began, self.spent = self.clock(), 0.0
        self._observed = ObservationSums()
        take_observations()
        if get_rank() == 0:
            loader = runner.train_dataloader
            header = dict(self._header(runner, loader.dataset), by_epoch=_has_epochs(runner))
            header['max_time'] = runner.max_epochs if _has_epochs(runner) else runner.max_iters
            header['ranks'] = get_world_size()
            RunRecord(Path(runner.work_dir)).rewind(runner.iter, header)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Count the samples of the batch, on their device."""
        start = self.clock()
        self._observed.add(take_observations())
        self.spent += self.clock() - start
        if not _has_epochs(runner):
            done = runner.iter + 1
            every = max(1, runner.max_iters // PARTS_WITHOUT_EPOCHS)
            if done % every == 0:
                self._close_epoch(runner, dict(iter=done))

    def after_train_epoch(self, runner: Runner) -> None:
        """Record what was counted; of a loop without epochs the rest."""
        epoch = dict(epoch=runner.epoch + 1) if _has_epochs(runner) else {}
        self._close_epoch(runner, dict(epoch, iter=runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Write the page."""
        self._write_page(runner)
        took = self.clock() - self._began
        runner.logger.info(
            f'DistillReportHook: {Path(runner.work_dir) / PAGE_FILE} is written; with all that it '
            f'counted the hook took {self.spent:.1f} s of {took:.0f} s.'
        )

    # --- Predictions ------------------------------------------------------------------------------

    def before_val_epoch(self, runner: Runner) -> None:
        """Reset the counts."""
        self._predicted = _new_counts(runner.val_dataloader.dataset)

    def before_test_epoch(self, runner: Runner) -> None:
        """Reset the counts."""
        self._predicted = _new_counts(runner.test_dataloader.dataset)

    def _after_iter(  # of validation and test, as after_train_iter is overridden
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[ActionDataSample] | None = None,
        mode: str = 'val',
    ) -> None:
        """Count the predictions of a batch."""
        self._count(outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record the counts; write the page if it takes no more than its share."""
        start = self.clock()
        counts = self._predicted.reduced()
        when = dict(epoch=runner.epoch) if _has_epochs(runner) else {}
        if not isinstance(runner._train_loop, BaseLoop):
            return  # a validation alone belongs to no training
        if counts and get_rank() == 0:
            line = dict(kind='val', **when, iter=runner.iter, **counts)
            RunRecord(Path(runner.work_dir)).append(line)
            _to_visualizer(runner, _val_scalars(line))
        self.spent += self.clock() - start
        self._write_page_if_cheap(runner)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record the counts and write the page."""
        counts = self._predicted.reduced()
        if get_rank() == 0:
            record = RunRecord(Path(runner.work_dir))
            if not record.path.exists():
                record.append(self._header(runner, runner.test_dataloader.dataset))
            kept = {k: float(v) for k, v in (metrics or {}).items() if isinstance(v, int | float)}
            checkpoint = str(runner._load_from or '')
            line = dict(kind='test', when=runner.timestamp, checkpoint=checkpoint, metrics=kept)
            record.append(line | counts)
        self._write_page(runner)

    # --- Within -----------------------------------------------------------------------------------

    @torch.no_grad()
    def _count(self, outputs: Sequence[ActionDataSample] | None) -> None:
        start = self.clock()
        self._predicted.add(outputs or ())
        self.spent += self.clock() - start

    def _close_epoch(self, runner: Runner, when: dict) -> None:
        start = self.clock()
        sources = self._observed.reduced()
        self._observed = ObservationSums()
        if sources and get_rank() == 0:
            line = dict(kind='train', **when, sources=sources)
            RunRecord(Path(runner.work_dir)).append(line)
            _to_visualizer(runner, _train_scalars(sources), when['iter'])
        self.spent += self.clock() - start
        self._write_page_if_cheap(runner)

    def _write_page_if_cheap(self, runner: Runner) -> None:
        if self.spent + self.page_seconds <= self.max_share * (self.clock() - self._began):
            self._write_page(runner)

    @master_only
    def _write_page(self, runner: Runner) -> None:
        # A fault of the page, such as a full disk, must not end a training.
        start = self.clock()
        folder = Path(runner.work_dir)
        try:
            write_atomically(folder / PAGE_FILE, self._page(folder))
        except Exception as error:
            runner.logger.warning(
                f'DistillReportHook: {folder / PAGE_FILE} could not be written: '
                f'{type(error).__name__}: {error}'
            )
        self.page_seconds = self.clock() - start
        self.spent += self.page_seconds

    def _page(self, folder: Path) -> str:
        run, written = load_run(folder), time.strftime('%Y-%m-%d %H:%M:%S')
        if self.baseline is None:
            return run_page(run, written=written)
        try:
            return run_page(run, load_run(self.baseline), written=written)
        except (ValueError, FileNotFoundError) as error:  # at first there is nothing to compare
            return run_page(
                run, notes=[f'No comparison with {self.baseline}: {error}'], written=written
            )

    def _header(self, runner: Runner, dataset: object) -> dict:
        return dict(
            kind='run',
            config=Path(runner.cfg.filename).stem
            if runner.cfg.filename
            else runner.experiment_name,
            classes=list(self.classes or known_classes(runner.cfg.to_dict(), dataset)),
        )


def known_classes(cfg: dict, dataset: object) -> tuple[str, ...]:
    """Find the class names in the data set, or in the file of subsets that the config names.

    Args:
        cfg: of the run.
        dataset: the data set.

    Returns:
        The names; empty where neither has them.
    """
    named = getattr(dataset, 'metainfo', {}).get('classes')
    if named:
        return tuple(map(str, named))
    path = next((p for p in _values_of(cfg, 'subsets') if isinstance(p, str)), None)
    return load_subsets(path).classes if path and subsets_file(path).is_file() else ()


def _values_of(node: object, key: str) -> list:
    """Return all values of a key, anywhere in nested dicts and lists."""
    if isinstance(node, dict):
        inner = [found for value in node.values() for found in _values_of(value, key)]
        return [node[key], *inner] if key in node else inner
    if isinstance(node, list | tuple):
        return [found for value in node for found in _values_of(value, key)]
    return []


def _has_epochs(runner: Runner) -> bool:
    return isinstance(runner._train_loop, EpochBasedTrainLoop)  # runner.train_loop would build one


def _new_counts(dataset: Sized) -> PredictionCounts:
    return PredictionCounts(len(dataset), get_rank(), get_world_size())


def _train_scalars(sources: dict[str, dict]) -> dict[str, float]:
    """Means over the samples of an epoch; a teacher's weight over those where it has one."""
    found = {}
    for source, seen in sources.items():
        if source == RESPONSIBLE:
            continue  # the same at every step
        for name, sums in seen['sums'].items():
            counted = [n for n, s in zip(seen['count'], sums, strict=True) if s]
            total = sum(seen['count'] if source == DOMINANCE else counted)
            found[f'report/{source}/{name}'] = sum(sums) / max(1, total)
    return found


def _val_scalars(line: dict) -> dict[str, float]:
    videos = max(1, sum(line['count']))
    return {
        f'report/fusion_weight/{name}': sum(
            n * mean for n, mean in zip(line['count'], weight['mean'], strict=True) if n
        )
        / videos
        for name, weight in line['weights'].items()
    }


def _to_visualizer(runner: Runner, scalars: dict[str, float], step: int | None = None) -> None:
    """To TensorBoard and its like; scalars.json stays a line for each step that was logged."""
    if not scalars:
        return
    for backend in runner.visualizer._vis_backends.values():
        if not isinstance(backend, LocalVisBackend):
            backend.add_scalars(dict(scalars), step=runner.iter if step is None else step)
