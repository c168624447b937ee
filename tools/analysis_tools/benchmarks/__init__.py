"""What parts of this package cost, each measured against an alternative in the same run.

A module a measurement; its docstring describes both sides. ``add_arguments`` declares
its options, ``run`` measures, see ``tools/analysis_tools/benchmark.py``.
"""

from benchmarks import (
    decode,
    dtkd_step,
    flow,
    flow_agreement,
    mbd_step,
    onnx_latency,
    precision,
    reader_memory,
    reader_watchdog,
    readers,
    report_hook,
    step_shares,
    stored_teachers,
    temporal_encoder,
    vtn_step,
    vtn_test,
)

MEASUREMENTS = {
    'decode': decode,
    'readers': readers,
    'reader-memory': reader_memory,
    'mbd-step': mbd_step,
    'dtkd-step': dtkd_step,
    'stored-teachers': stored_teachers,
    'reader-watchdog': reader_watchdog,
    'report-hook': report_hook,
    'temporal-encoder': temporal_encoder,
    'vtn-step': vtn_step,
    'vtn-test': vtn_test,
    'onnx': onnx_latency,
    'precision': precision,
    'step-shares': step_shares,
    'flow': flow,
    'flow-agreement': flow_agreement,
}
"""By the name of the command."""
