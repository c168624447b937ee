"""Random numbers that depend on the epoch alone, so that a resumed run equals an unbroken one."""

from __future__ import annotations

import functools

import numpy as np
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmaction_kd.datasets.random_numbers import seed_all
from mmaction_kd.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed Python, NumPy and torch from (seed of the run, epoch, rank) when an epoch starts.

    A checkpoint of MMEngine has no state of the random number generators: after ``--resume`` frame
    sampling, crops and dropout differ from those of a run that was not interrupted. With this hook
    they are the same.

    The workers of the train dataloader are seeded, too. MMEngine gives them the same seeds in each
    epoch; persistent workers (``persistent_workers``) can't be seeded at all.
    """

    def before_train(self, runner: Runner) -> None:
        """Warn about workers that this hook can not seed."""
        loader = runner.train_dataloader
        if loader.num_workers and loader.persistent_workers:
            runner.logger.warning(
                'EpochSeedHook: train_dataloader must start its workers anew for each epoch, got '
                'persistent_workers=True; a resumed run will draw other random numbers in them, '
                'set it to False.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        entropy = (runner.seed, runner.epoch, get_rank())
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0]) // 2  # workers add to it
        seed_all(seed)
        loader = runner.train_dataloader
        start_worker = loader.worker_init_fn
        if isinstance(start_worker, functools.partial) and start_worker.func is worker_init_fn:
            loader.worker_init_fn = functools.partial(start_worker, seed=seed)
