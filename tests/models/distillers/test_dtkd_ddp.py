"""Two real processes (gloo) against one process that has the whole batch."""

from pathlib import Path

import dtkd_ddp_worker as worker
import pytest
import torch
from ddp_training import assert_equal, train, two_processes


@pytest.mark.parametrize('teachers', ['frozen', 'trained'])
def test_two_processes_equal_the_joined_batch_without_static_samples_on_one(tmp_path, teachers):
    """50 steps, find_unused_parameters=False."""
    script = Path(worker.__file__)
    ranks = two_processes(script, tmp_path, teachers)
    assert set(ranks[1]['shares']) == {0.0}
    assert 1.0 in ranks[0]['shares'] and min(ranks[0]['shares']) < 1.0

    def joined():
        for step in range(worker.STEPS):
            (a, first), (b, second) = (worker.rank_batch(step, rank) for rank in range(2))
            yield torch.cat([a, b]), first + second

    single = train(worker.build_model(teachers == 'frozen'), joined(), worker.LR, 'static/share')
    assert any('trained_teachers' in n for n in single['first']) == (teachers == 'trained')
    assert_equal(ranks, single)
