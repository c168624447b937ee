"""What every process of a distributed run does and one should."""

from __future__ import annotations

from typing import Any

from mmaction_kd.host_fixes.mend import Mend, source_of


def _all_ranks_write_metrics() -> bool:
    test_epoch = source_of('mmengine.hooks.logger_hook').partition('def after_test_epoch')[2]
    return 'dump(' in test_epoch and 'is_main_process' not in test_epoch


def _first_rank_writes_metrics(logger_hook: Any) -> None:
    from mmengine.dist import master_only

    logger_hook.dump = master_only(logger_hook.dump)


MENDS = (
    Mend(
        name='ranks write the metrics of a test into one file at once, and may garble it',
        hosts=('mmengine',),
        module='mmengine.hooks.logger_hook',
        fault=_all_ranks_write_metrics,
        mend=_first_rank_writes_metrics,
        remedy='test in one process, or read the metrics from the log',
    ),
)
