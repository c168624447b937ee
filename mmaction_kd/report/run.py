"""A run as read from its work dir: the log, the record, the metrics of its test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmaction_kd.report.logged_scalars import Curves, read_scalars
from mmaction_kd.report.run_record import RECORD_FILE, RunRecord


class ClassSums(NamedTuple):
    """Sums over the samples of each class, over time.

    Attributes:
        times: when each line was written, (E,).
        counts: numbers of samples, (E, K).
        sums: of each value, by name, (E, K).
    """

    times: np.ndarray
    counts: np.ndarray
    sums: dict[str, np.ndarray]


@dataclass
class Run:
    """A training, a test, or both.

    Attributes:
        folder: its work dir.
        name: of its config.
        train: what was logged in training, by key (time, value).
        val: what was logged in validations, by key (time, value).
        by_epoch: whether time is counted in epochs, else in iterations.
        epochs: lines of the record with sums over the samples of an epoch.
        evaluations: lines of the record with counts of validations.
        test: line of the record with counts and ``metrics`` of the last test; empty without.
        classes: their names, as far as they are known.
        max_time: how many epochs (or iterations) the training is to have; 0 where not known.
        ranks: processes that trained; the first logged ``train``, of its share of each batch.
    """

    folder: Path
    name: str
    train: Curves
    val: Curves
    by_epoch: bool = True
    epochs: list[dict] = field(default_factory=list)
    evaluations: list[dict] = field(default_factory=list)
    test: dict = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    max_time: int = 0
    ranks: int = 1

    @property
    def unit(self) -> str:
        """Return what time is counted in."""
        return 'epoch' if self.by_epoch else 'iteration'

    @property
    def num_classes(self) -> int:
        """Return K; 0 where it is not recorded."""
        for line in (self.test, *reversed(self.evaluations)):
            if 'num_classes' in line:
                return line['num_classes']
        for line in self.epochs:
            for source in line['sources'].values():
                return len(source['count'])
        return len(self.classes)

    @property
    def class_names(self) -> list[str]:
        """Return a name for each of the K classes."""
        known = self.classes if len(self.classes) == self.num_classes else ()
        return list(known) or [f'class {index}' for index in range(self.num_classes)]

    def time(self, line: dict) -> float:
        """Return when a line of the record was written, in the run's unit."""
        return line.get('epoch', 0) if self.by_epoch else line.get('iter', 0)

    def evaluation(self, kinds: Sequence[str] = ('test', 'val')) -> dict:
        """Return the last counts of predictions: of the test, else of a validation.

        Args:
            kinds: which may be taken, the better first.

        Returns:
            A line of the record; empty where there is none.
        """
        last = dict(test=self.test, val=self.evaluations[-1] if self.evaluations else {})
        return next((last[kind] for kind in kinds if 'num_classes' in last[kind]), {})

    def over_time(self, source: str) -> ClassSums:
        """Return what a loss observed, by class.

        Args:
            source: see :mod:`mmaction_kd.observations`.
        """
        lines = [line for line in self.epochs if source in line['sources']]
        found = [line['sources'][source] for line in lines]
        names = found[0]['sums'] if found else ()
        return ClassSums(
            np.array([self.time(line) for line in lines], dtype=float),
            np.array([observed['count'] for observed in found], dtype=float),
            {name: np.array([observed['sums'][name] for observed in found]) for name in names},
        )


def load_run(folder: str | Path, classes: Sequence[str] = ()) -> Run:
    """Read a work dir, of this package or of stock MMAction2 (which has no record).

    Args:
        folder: the work dir. A test's work dir within it, ``test``, is read, too.
        classes: names of the classes; without, those of the record.

    Returns:
        The run.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds nothing that a run leaves.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f'Run report: a run must be the work dir of a training, got {folder}, which is no '
            'folder; give what was the --work-dir, such as work_dirs/tiny_r3d_vtn.'
        )
    scalars = read_scalars(folder)
    lines = RunRecord(folder).read()
    tests = [line for line in lines if line['kind'] == 'test']
    tests += [line for line in RunRecord(folder / 'test').read() if line['kind'] == 'test']
    tests = tests or _stock_tests(folder)
    if not (scalars.train or lines or tests):
        held = sorted(path.name for path in folder.iterdir())[:8]
        raise ValueError(
            'Run report: the work dir of a run must hold TIMESTAMP/vis_data/scalars.json or '
            f'{RECORD_FILE}, got {folder} with {held}; give the folder that the TIMESTAMP folders '
            'of one training lie in.'
        )
    headers = [line for line in lines if line['kind'] == 'run']
    header = headers[-1] if headers else {}
    by_epoch = header.get('by_epoch', any('epoch' in line for line in scalars.train))
    train, val = scalars.curves(by_epoch)
    return Run(
        folder=folder,
        name=header.get('config') or _config_name(folder),
        train=train,
        val=val,
        by_epoch=by_epoch,
        epochs=[line for line in lines if line['kind'] == 'train'],
        evaluations=[line for line in lines if line['kind'] == 'val'],
        test=max(tests, key=lambda line: line.get('when', ''), default={}),
        classes=tuple(classes or header.get('classes', ())),
        max_time=header.get('max_time', 0),
        ranks=header.get('ranks', 1),
    )


def _config_name(folder: Path) -> str:
    configs = sorted(folder.glob('*.py'), key=lambda path: path.stat().st_mtime)
    return configs[-1].stem if configs else folder.resolve().name


def _stock_tests(folder: Path) -> list[dict]:
    """Metrics that MMEngine's LoggerHook wrote after a test, ``TIMESTAMP/TIMESTAMP.json``."""
    found = []
    for path in sorted([*folder.glob('*/*.json'), *folder.glob('test/*/*.json')]):
        if path.stem == path.parent.name:
            try:
                metrics = json.loads(path.read_text(encoding='utf-8'))
            except ValueError:
                continue
            found.append(dict(kind='test', when=path.stem, metrics=metrics))
    return found
