"""Faults between the processes of a distributed run."""

from __future__ import annotations

import functools
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of


def _all_ranks_write_metrics() -> bool:
    test_epoch = source_of('mmengine.hooks.logger_hook').partition('def after_test_epoch')[2]
    return 'dump(' in test_epoch and 'is_main_process' not in test_epoch


def _first_rank_writes_metrics(logger_hook: Any) -> None:
    from mmengine.dist import master_only

    logger_hook.dump = master_only(logger_hook.dump)


def _ranks_need_not_have_the_same_batches() -> bool:
    loops = source_of('mmengine.runner.loops')
    return 'self.run_epoch()' in loops and 'all_gather' not in loops


def _same_batches_on_all_ranks(loops: Any) -> None:
    loop = loops.EpochBasedTrainLoop
    run = loop.run

    @functools.wraps(run)
    def run_if_ranks_agree(self: Any) -> Any:
        from mmengine.dist import all_gather_object

        batches = all_gather_object(len(self.dataloader))
        if len(set(batches)) > 1 or not batches[0]:
            raise ValueError(
                'EpochBasedTrainLoop: every rank must have the same number of batches in an epoch, '
                f'at least one, got {batches}; set round_up=True in the sampler of '
                'train_dataloader, or a smaller batch_size where drop_last=True leaves none.'
            )
        return run(self)

    loop.run = run_if_ranks_agree


FIXES = (
    Fix(
        name='all ranks write the metrics of a test into one file, and may corrupt it',
        hosts=('mmengine',),
        module='mmengine.hooks.logger_hook',
        fault=_all_ranks_write_metrics,
        patch=_first_rank_writes_metrics,
        remedy='test in one process, or read the metrics from the log',
    ),
    Fix(
        name='ranks with different numbers of batches deadlock',
        hosts=('mmengine',),
        module='mmengine.runner.loops',
        fault=_ranks_need_not_have_the_same_batches,
        patch=_same_batches_on_all_ranks,
        remedy='keep round_up=True in the sampler of train_dataloader',
    ),
)
