"""What the hook draws; that a resumed run is bit-equal is shown in tests/tools/test_resume.py."""

import functools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import worker_init_fn
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader, Dataset

from mmaction_kd.engine.hooks import epoch_seed_hook
from mmaction_kd.registry import HOOKS


class RandomNumbers(Dataset):
    """Each item is drawn anew, from all three generators."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.fixture
def hook():
    return HOOKS.build(dict(type='mmaction_kd.EpochSeedHook'))


@pytest.fixture(autouse=True)
def generators():
    """Leave the generators of the test process as they were."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


def make_run(workers=0, seed=3, **kwargs):
    """What the hook uses of a Runner, with the dataloader that a Runner builds."""
    init = functools.partial(worker_init_fn, num_workers=workers, rank=0, seed=seed)
    loader = DataLoader(RandomNumbers(), num_workers=workers, worker_init_fn=init, **kwargs)
    return SimpleNamespace(
        seed=seed,
        epoch=0,
        train_dataloader=loader,
        logger=MMLogger.get_instance('epoch_seed_hook'),
    )


def drawn(hook, run, epoch):
    run.epoch = epoch
    hook.before_train_epoch(run)
    return torch.stack([torch.stack(item) for item in run.train_dataloader]).tolist()


@pytest.mark.parametrize('workers', [0, 2])
def test_an_epoch_draws_the_same_whatever_was_before(hook, workers):
    run = make_run(workers)
    epochs = [drawn(hook, run, epoch) for epoch in range(3)]
    assert drawn(hook, make_run(workers), 2) == epochs[2]
    numbers = {number for epoch in epochs for item in epoch for (number,) in item}
    assert len(numbers) == 3 * 4 * 3  # epochs, items and generators differ, and so do workers


def test_ranks_and_seeds_draw_other_numbers(hook, monkeypatch):
    found = [drawn(hook, make_run(seed=seed), 1) for seed in (3, 4)]
    monkeypatch.setattr(epoch_seed_hook, 'get_rank', lambda: 1)
    found.append(drawn(hook, make_run(), 1))
    assert all(a != b for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize(
    'workers, persistent, warned', [(0, False, 0), (1, False, 0), (1, True, 1)]
)
def test_warns_of_workers_that_live_on(hook, monkeypatch, workers, persistent, warned):
    run, warnings = make_run(workers, persistent_workers=persistent), []
    monkeypatch.setattr(run.logger, 'warning', warnings.append)
    hook.before_train(run)
    assert len(warnings) == warned
    assert all('got persistent_workers=True' in text for text in warnings)


def test_a_users_own_worker_init_fn_stays(hook):
    run = make_run()
    run.train_dataloader.worker_init_fn = own = functools.partial(print, sep='')
    hook.before_train_epoch(run)
    assert run.train_dataloader.worker_init_fn is own
