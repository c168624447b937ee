"""Two real processes (gloo) against one process that has the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import mbd_ddp_worker
import pytest
import torch

HERE = Path(__file__).parent


def test_two_processes_equal_the_joined_batch_with_an_empty_group_on_each(tmp_path):
    """50 steps, find_unused_parameters=False; gradients and parameters within 1e-6."""
    env = dict(os.environ, PYTHONPATH=str(HERE.parents[1]), OMP_NUM_THREADS='1')
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2']
    subprocess.run(
        [*command, '--master_port=29611', str(HERE / 'mbd_ddp_worker.py'), str(tmp_path)],
        check=True, env=env, timeout=300,
    )  # fmt: skip
    ranks = [torch.load(tmp_path / f'rank{rank}.pth') for rank in range(2)]
    assert set(ranks[0]['shares']) == {1.0}  # on rank 0 the global pathway teaches no sample
    assert set(ranks[1]['shares']) == {0.0}

    def joined():
        for step in range(mbd_ddp_worker.STEPS):
            (a, first), (b, second) = (mbd_ddp_worker.rank_batch(step, rank) for rank in range(2))
            yield {key: torch.cat([a[key], b[key]]) for key in a}, first + second

    single = mbd_ddp_worker.train(mbd_ddp_worker.build_model(), joined())
    for part in ('first', 'last', 'parameters'):
        for name, value in single[part].items():
            for rank in ranks:
                assert rank[part][name].numpy() == pytest.approx(value.numpy(), abs=1e-6), (
                    part,
                    name,
                )
