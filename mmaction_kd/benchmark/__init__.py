"""What parts of this package cost, each measured against an alternative in the same run.

A module a measurement; its docstring says what stands on either side. ``add_arguments`` declares
its options, ``run`` measures, see ``tools/analysis_tools/benchmark.py``.
"""

from mmaction_kd.benchmark import decode, dtkd_step, mbd_step, report_hook, temporal_encoder

MEASUREMENTS = {
    'decode': decode,
    'mbd-step': mbd_step,
    'dtkd-step': dtkd_step,
    'report-hook': report_hook,
    'temporal-encoder': temporal_encoder,
}
"""By the name of the command."""
