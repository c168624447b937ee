"""What differs from MMEngine's hook; tests/test_atomic_checkpoints.py kills runs with it."""

import contextlib
from collections import deque
from unittest import mock

import killed_runs
import pytest
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook, Hook

from mmaction_kd.engine import SafeCheckpointHook


def bare(kind, folder, **settings):
    """A hook that saves into a folder, and a Runner that saves nothing, as its disk is full."""
    hook = kind(interval=1, **settings)
    hook.out_dir, hook.file_backend, hook.file_client_args = str(folder), LocalBackend(), None
    runner = mock.MagicMock(work_dir=str(folder), epoch=2)
    runner.message_hub.runtime_info = {}
    runner.save_checkpoint.side_effect = OSError('full')
    return hook, runner


@pytest.mark.parametrize('several', [False, True])
@pytest.mark.parametrize('kind', [CheckpointHook, SafeCheckpointHook])
def test_the_former_checkpoints_stay_where_the_next_can_not_be_written(kind, several, tmp_path):
    metrics = ['acc', 'mean'] if several else 'acc'
    hook, runner = bare(kind, tmp_path, max_keep_ckpts=1, save_best=metrics, rule='greater')
    hook.keep_ckpt_ids, best = deque([1], 1), str(tmp_path / 'best_acc_epoch_1.pth')
    if several:
        hook.best_ckpt_path_dict = dict(acc=best, mean=None)
    else:
        hook.best_ckpt_path = best
    for name in ('epoch_1.pth', best):
        (tmp_path / name).touch()
    with contextlib.suppress(OSError):
        hook._save_best_checkpoint(runner, dict(acc=1.0, mean=1.0))
    with contextlib.suppress(OSError):
        hook._save_checkpoint_with_step(runner, 2, {})
    left = sorted(path.name for path in tmp_path.iterdir())
    safe = kind is SafeCheckpointHook
    assert left == (['best_acc_epoch_1.pth', 'epoch_1.pth'] if safe else [])  # the host's fault


def test_a_best_checkpoint_that_is_not_beaten_stays(tmp_path):
    hook, runner = bare(SafeCheckpointHook, tmp_path, save_best='acc', rule='greater')
    best = tmp_path / 'best_acc_epoch_1.pth'
    best.touch()
    hook.best_ckpt_path = str(best)
    runner.message_hub.runtime_info['best_score'] = 1
    runner.message_hub.get_info.return_value = 0.9
    hook._save_best_checkpoint(runner, dict(acc=0.5))
    assert best.exists() and hook.best_ckpt_path == str(best)
    runner.save_checkpoint.assert_not_called()
    runner.save_checkpoint.side_effect = None
    hook._save_best_checkpoint(runner, dict(acc=1.0))
    assert not best.exists() and hook.best_ckpt_path == str(tmp_path / 'best_acc_epoch_2.pth')


def test_a_validation_that_a_kill_cut_short_is_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(killed_runs, 'EPOCHS', 2)
    validated = []

    class KilledInTheSecond(Hook):
        def before_val_epoch(self, runner):
            validated.append(runner.epoch)
            if len(validated) == 2:
                raise KeyboardInterrupt

    for _ in range(3):
        runner = killed_runs.make('dtkd', tmp_path)
        runner.register_hook(KilledInTheSecond())
        with contextlib.suppress(KeyboardInterrupt):
            runner.train()
    assert validated == [1, 2, 2]
