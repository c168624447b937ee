"""Two real processes (gloo) against one process that has the whole batch."""

from pathlib import Path

import mbd_ddp_worker as worker
import torch
from ddp_training import assert_equal, train, two_processes


def test_two_processes_equal_the_joined_batch_with_an_empty_group_on_each(tmp_path):
    """50 steps, find_unused_parameters=False."""
    ranks = two_processes(Path(worker.__file__), tmp_path)
    assert set(ranks[0]['shares']) == {1.0}  # on rank 0 the global pathway teaches no sample
    assert set(ranks[1]['shares']) == {0.0}

    def joined():
        for step in range(worker.STEPS):
            (a, first), (b, second) = (worker.rank_batch(step, rank) for rank in range(2))
            yield {key: torch.cat([a[key], b[key]]) for key in a}, first + second

    assert_equal(ranks, train(worker.build_model(), joined(), worker.LR, 'local/dominance_share'))
