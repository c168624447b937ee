"""Checkpoints that a kill or a full disk can't lose."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from mmaction_kd.host_fixes.last_checkpoint import (
    forget_validation,
    note_validation,
    noted_validation,
)
from mmaction_kd.registry import HOOKS
from mmaction_kd.utils.atomic_file import remove_partial_files


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook, with two differences that matter when a training is killed.

    The former checkpoint, and the former best one, are removed after the next is written, not
    before: at every moment there is one to resume from. This needs room for one more.

    MMEngine saves a checkpoint before its validation, and a resumed loop begins with the next
    epoch. A validation that was not finished is therefore repeated when the training is resumed;
    ``last_validation`` in the work dir notes the finished ones.

    Args are those of :class:`mmengine.hooks.CheckpointHook`.
    """

    keep_ckpt_ids: deque[int]
    max_keep_ckpts: int

    def before_train(self, runner: Runner) -> None:
        """Remove what a killed run left half done, and finish its validation."""
        super().before_train(runner)  # removes what a killed run was about to remove
        if is_main_process():
            for folder in {Path(runner.work_dir), Path(self.out_dir)}:
                remove_partial_files(folder, '.pth', 'last_checkpoint', 'last_validation', '.html')
        self._set_best({key: self._in_out_dir(path) for key, path in self._best().items()})
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        due = bool(runner.iter) and _validation_is_due(runner)
        if (due or not runner.iter) and is_main_process():
            forget_validation(runner.work_dir)
        if due:
            runner.logger.info('The validation of this checkpoint was not finished: repeating it.')
            step = runner.epoch if self.by_epoch else runner.iter
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
            if self.file_backend.exists(path):
                self.last_ckpt = path  # saved again where this one is the best
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint, and note that the validation is finished."""
        super().after_val_epoch(runner, metrics)
        if is_main_process() and _is_training(runner):
            note_validation(runner.work_dir, runner.epoch, runner.iter)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        self._remove_former_best()  # this checkpoint will name the new best one
        limit = self.max_keep_ckpts
        if limit <= 0:
            super()._save_checkpoint_with_step(runner, step, meta)
        else:
            # With room for one more the host removes none, and names all of them in the checkpoint:
            # killed before the oldest is removed, a resumed run removes it when it starts.
            self.max_keep_ckpts, self.keep_ckpt_ids = limit + 1, deque(self.keep_ckpt_ids)
            try:
                super()._save_checkpoint_with_step(runner, step, meta)
            finally:
                self.max_keep_ckpts = limit
            while len(self.keep_ckpt_ids) > limit:
                name = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                self._remove(self.file_backend.join_path(self.out_dir, name))
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        if is_main_process():
            forget_validation(runner.work_dir)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not self.save_best:
            return
        self._former = self._best()
        self._set_best(dict.fromkeys(self._former))  # the host removes those that it knows
        try:
            super()._save_best_checkpoint(runner, metrics)
            self._remove_former_best()
        finally:
            self._keep_former_best()

    # --- The best checkpoints ---------------------------------------------------------------------

    _former: dict[str, str | None] = {}  # noqa: RUF012  (replaced, never changed)

    def _best(self) -> dict[str, str | None]:
        """The path of the best checkpoint by each metric that chooses one."""
        if not self.save_best:
            return {}
        if len(self.key_indicators) == 1:
            return {'': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if '' in paths:
            self.best_ckpt_path = paths['']
        elif paths:
            self.best_ckpt_path_dict = paths

    def _keep_former_best(self) -> None:
        """Where there is no new best checkpoint, the former one is it."""
        self._set_best({key: path or self._former.get(key) for key, path in self._best().items()})
        self._former = {}

    def _remove_former_best(self) -> None:
        former = self._former
        self._keep_former_best()
        for path in former.values():
            if path and path not in self._best().values():
                self._remove(path)

    def _in_out_dir(self, path: str | None) -> str | None:
        """The checkpoint of that name in this folder, which may be a copy of the original's."""
        moved = self.file_backend.join_path(self.out_dir, os.path.basename(path or ''))
        return moved if path and self.file_backend.exists(moved) else path

    def _remove(self, path: str) -> None:
        if not is_main_process():
            return
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # as DeepSpeed writes
            self.file_backend.rmtree(path)


def _is_training(runner: Runner) -> bool:
    # Not runner.train_loop, which would build one.
    return isinstance(runner._train_loop, EpochBasedTrainLoop | IterBasedTrainLoop)


def _validation_is_due(runner: Runner) -> bool:
    """Whether the loop would have validated here, and that is not noted; the same on all ranks."""
    if runner.val_loop is None or not _is_training(runner):
        return False
    loop = runner.train_loop
    loop._decide_current_val_interval()
    if isinstance(loop, EpochBasedTrainLoop):
        done, last = loop.epoch, loop.max_epochs
    else:
        done, last = loop.iter, loop.max_iters
    due = done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)
    noted = noted_validation(runner.work_dir)
    answer = [due and noted != dict(epoch=runner.epoch, iter=runner.iter)]
    broadcast_object_list(answer)
    return answer[0]
