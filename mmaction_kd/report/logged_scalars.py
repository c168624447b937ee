"""Scalars that MMEngine's LoggerHook wrote while a run trained, joined over its resumes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmaction_kd.utils.json_lines import read_lines

NOT_CURVES = ('epoch', 'iter', 'step')
Curves = dict[str, tuple[np.ndarray, np.ndarray]]


class LoggedScalars(NamedTuple):
    """The lines of all ``TIMESTAMP/vis_data/scalars.json``.

    Attributes:
        train: lines of the training, in order of ``iter``.
        val: lines of validations, in order; ``after_iter`` is the iteration logged last before.
    """

    train: list[dict]
    val: list[dict]

    def curves(self, by_epoch: bool) -> tuple[Curves, Curves]:
        """Return each logged value over time.

        Args:
            by_epoch: whether time is counted in epochs (a fraction of one within it), else in
                iterations.

        Returns:
            For training and for validation: key to (time, value), arrays of the same length.
        """
        length = self.epoch_length() if by_epoch else 1
        val_time = 'step' if by_epoch else 'after_iter'
        return (
            _columns((line['iter'] / length, line) for line in self.train),
            _columns((line.get(val_time, 0), line) for line in self.val),
        )

    def epoch_length(self) -> int:
        """Iterations of an epoch: the fewest with which each line lies in its own epoch."""
        return max(
            (math.ceil(t['iter'] / t['epoch']) for t in self.train if t.get('epoch')), default=1
        )


def read_scalars(work_dir: Path) -> LoggedScalars:
    """Read the scalars of all processes of a run; of repeated iterations, the last.

    A process that starts at iteration i repeats everything from i on, whatever one before it had
    logged; one that starts at the beginning starts a new run. One that starts with a validation
    repeats the one that the process before it had begun.

    Args:
        work_dir: of the run, with a folder TIMESTAMP for each process.

    Returns:
        The lines; none where nothing was logged. Lines that a kill cut short are left out.
    """
    train: list[dict] = []
    val: list[dict] = []
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        started = False
        for line in read_lines(path):
            if 'iter' in line:
                if not started:
                    first, epoch = line['iter'], line.get('epoch')
                    train = [old for old in train if old['iter'] < first]
                    val = [old for old in val if _was_before(old, first, epoch)]
                    started = True
                train.append(line)
            else:
                after_iter = train[-1]['iter'] if train else 0
                if not started:
                    val = [old for old in val if old['after_iter'] < after_iter]
                val.append(dict(line, after_iter=after_iter))
    return LoggedScalars(train, val)


def _was_before(val_line: dict, first_iter: int, epoch: int | None) -> bool:
    if epoch is None:
        return val_line['after_iter'] < first_iter
    return val_line.get('step', 0) < epoch


def _columns(lines: Iterable[tuple[float, dict]]) -> Curves:
    found: dict[str, list[tuple[float, float]]] = {}
    for time, line in lines:
        for key, value in line.items():
            if key not in (*NOT_CURVES, 'after_iter') and isinstance(value, int | float):
                found.setdefault(key, []).append((time, value))
    return {key: (np.array(p)[:, 0], np.array(p)[:, 1]) for key, p in found.items()}
