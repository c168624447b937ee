"""Two real processes (gloo) against one process that has the whole batch."""

import os
import subprocess
import sys
from pathlib import Path

import dtkd_ddp_worker
import pytest
import torch

HERE = Path(__file__).parent


@pytest.mark.parametrize('teachers, port', [('frozen', 29621), ('trained', 29622)])
def test_two_processes_equal_the_joined_batch_without_static_samples_on_one(
    tmp_path, teachers, port
):
    """50 steps, find_unused_parameters=False; gradients and parameters within 1e-6."""
    env = dict(os.environ, PYTHONPATH=str(HERE.parents[1]), OMP_NUM_THREADS='1')
    command = [sys.executable, '-W', 'ignore', '-m', 'torch.distributed.run', '--nproc_per_node=2']
    worker = str(HERE / 'dtkd_ddp_worker.py')
    subprocess.run(
        [*command, f'--master_port={port}', worker, str(tmp_path), teachers],
        check=True, env=env, timeout=300,
    )  # fmt: skip
    ranks = [torch.load(tmp_path / f'rank{rank}.pth') for rank in range(2)]
    assert set(ranks[1]['shares']) == {0.0}
    assert 1.0 in ranks[0]['shares'] and min(ranks[0]['shares']) < 1.0

    def joined():
        for step in range(dtkd_ddp_worker.STEPS):
            (a, first), (b, second) = (dtkd_ddp_worker.rank_batch(step, rank) for rank in range(2))
            yield torch.cat([a, b]), first + second

    model = dtkd_ddp_worker.build_model(teachers == 'frozen')
    single = dtkd_ddp_worker.train(model, joined())
    assert any('trained_teachers' in n for n in single['first']) == (teachers == 'trained')
    for part in ('first', 'last', 'parameters'):
        for name, value in single[part].items():
            for rank in ranks:
                assert rank[part][name].numpy() == pytest.approx(value.numpy(), abs=1e-6), (
                    part,
                    name,
                )
