"""A training that is killed, or whose disk is full, loses nothing but the time since it saved.

A checkpoint has its name once it is whole; the one before stays until then; ``--resume`` finds the
last whole one; and the validation that a kill cut short is made up for.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections import deque
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from mmaction_kd.files.whole_file import naming_file, remove_parts, write_whole
from mmaction_kd.host_fixes.last_checkpoint import (
    find_last_checkpoint,
    forget_validation,
    note_validation,
    noted_validation,
)
from mmaction_kd.host_fixes.mend import Mend, source_of

# --- What is written --------------------------------------------------------------------------


def _files_are_written_in_place() -> bool:
    return "with open(filepath, 'wb') as f:" in source_of('mmengine.fileio.backends.local_backend')


def _put_whole(local_backend: Any) -> None:
    backend = local_backend.LocalBackend
    host_put = backend.put

    @functools.wraps(host_put)
    def put(self: Any, obj: Any, filepath: str | Path) -> None:
        path = Path(os.path.realpath(filepath))  # a link stays a link
        if path.exists() and not path.is_file():  # a device, such as /dev/null
            host_put(self, obj, filepath)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, obj)

    @functools.wraps(backend.put_text)
    def put_text(self: Any, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        put(self, obj.encode(encoding), filepath)

    backend.put, backend.put_text = put, put_text


def _note_is_written_in_place() -> bool:
    source = source_of('mmengine.hooks.checkpoint_hook')
    return source.count('open(') == 1 and "with open(save_file, 'w') as f:" in source


def _write_note_whole(checkpoint_hook: Any) -> None:
    checkpoint_hook.open = _open_whole


@contextlib.contextmanager
def _open_whole(file: str, mode: str) -> Iterator[io.StringIO]:
    text = io.StringIO()
    yield text
    write_whole(Path(file), text.getvalue())


def _scalars_name_no_file() -> bool:
    return "with open(file_path, 'a+') as f:" in source_of('mmengine.visualization.vis_backend')


def _name_file_of_scalars(vis_backend: Any) -> None:
    backend = vis_backend.LocalVisBackend
    host_dump = backend._dump

    @functools.wraps(host_dump)
    def dump(self: Any, value_dict: dict, file_path: str, file_format: str) -> None:
        with naming_file(Path(file_path)):
            host_dump(self, value_dict, file_path, file_format)

    backend._dump = dump


def _early_stop_saves_nothing() -> bool:
    source = source_of('mmengine.hooks.checkpoint_hook')
    return 'self.is_last_train_epoch(runner)' in source and 'stop_training' not in source


def _save_at_early_stop(checkpoint_hook: Any) -> None:
    hook = checkpoint_hook.CheckpointHook
    host_after_train = hook.after_train

    @functools.wraps(host_after_train)
    def after_train(self: Any, runner: Any) -> None:
        step = runner.epoch if self.by_epoch else runner.iter
        is_saved = os.path.basename(self.last_ckpt or '') == self.filename_tmpl.format(step)
        if self.save_last and runner.train_loop.stop_training and not is_saved:
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, step, meta=meta)
        host_after_train(self, runner)

    hook.after_train = after_train


# --- What is removed --------------------------------------------------------------------------


def _former_is_removed_first() -> bool:
    return 'remove other checkpoints before save' in source_of('mmengine.hooks.checkpoint_hook')


def _remove_former_last(checkpoint_hook: Any) -> None:
    hook = checkpoint_hook.CheckpointHook
    host_before_train = hook.before_train
    host_save, host_save_best = hook._save_checkpoint_with_step, hook._save_best_checkpoint

    @functools.wraps(host_before_train)
    def before_train(self: Any, runner: Any) -> None:
        host_before_train(self, runner)  # removes what a killed run was about to remove
        if checkpoint_hook.is_main_process():
            for folder in {Path(runner.work_dir), Path(self.out_dir)}:
                remove_parts(folder, '.pth', 'last_checkpoint', 'last_validation', '.html')
        _find_best_here(self)
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    @functools.wraps(host_save)
    def save(self: Any, runner: Any, step: int, meta: dict) -> None:
        if isinstance(self.file_backend, _LateRemoval):  # this checkpoint will name the new best
            self.file_backend.remove_former(_best_of(self))
        limit = self.max_keep_ckpts
        if limit <= 0:
            host_save(self, runner, step, meta)
            return
        # With room for one more the host removes none, and names all of them in the checkpoint:
        # killed before the oldest is removed, a resumed run removes it when it starts.
        self.max_keep_ckpts, self.keep_ckpt_ids = limit + 1, deque(self.keep_ckpt_ids, limit + 1)
        try:
            host_save(self, runner, step, meta)
        finally:
            self.max_keep_ckpts = limit
        while len(self.keep_ckpt_ids) > limit:
            _remove_step(self, self.keep_ckpt_ids.popleft())
        self.keep_ckpt_ids = deque(self.keep_ckpt_ids, limit)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    @functools.wraps(host_save_best)
    def save_best(self: Any, runner: Any, metrics: dict) -> None:
        if not self.save_best:
            return
        backend = self.file_backend
        self.file_backend = _LateRemoval(backend)
        try:
            host_save_best(self, runner, metrics)
            self.file_backend.remove_former(_best_of(self))
        finally:
            self.file_backend = backend

    hook.before_train = before_train
    hook._save_checkpoint_with_step, hook._save_best_checkpoint = save, save_best


class _LateRemoval:
    """A file backend that removes nothing before it is told so."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._former: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._former.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self._former.append((self._backend.rmtree, path))

    def remove_former(self, still_best: Container[str]) -> None:
        for remove, path in self._former:
            if path not in still_best:
                remove(path)
        self._former.clear()


def _find_best_here(hook: Any) -> None:
    """Of a work dir that was moved or copied its own best checkpoint will be removed."""
    if not hook.save_best:
        return

    def here(path: str | None) -> str | None:
        moved = hook.file_backend.join_path(hook.out_dir, os.path.basename(path or ''))
        return moved if path and hook.file_backend.exists(moved) else path

    if len(hook.key_indicators) == 1:
        hook.best_ckpt_path = here(hook.best_ckpt_path)
    else:
        hook.best_ckpt_path_dict = {k: here(v) for k, v in hook.best_ckpt_path_dict.items()}


def _best_of(hook: Any) -> list[str]:
    """Paths of the best checkpoints, one for each metric that chooses one."""
    if len(hook.key_indicators) == 1:
        return [hook.best_ckpt_path]
    return list(hook.best_ckpt_path_dict.values())


def _remove_step(hook: Any, step: int) -> None:
    from mmengine.dist import is_main_process

    if not is_main_process():
        return
    backend = hook.file_backend
    path = backend.join_path(hook.out_dir, hook.filename_tmpl.format(step))
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):  # as DeepSpeed writes
        backend.rmtree(path)


# --- What is found ----------------------------------------------------------------------------


def _note_is_believed() -> bool:
    return 'last_saved = f.read().strip()' in source_of('mmengine.runner.checkpoint')


def _find_whole(runner: Any) -> None:
    host_find = runner.checkpoint.find_latest_checkpoint

    @functools.wraps(host_find)
    def find_latest_checkpoint(path: str) -> str | None:
        return find_last_checkpoint(path)

    for module in (runner, runner.checkpoint, runner.runner, runner._flexible_runner):
        module.find_latest_checkpoint = find_latest_checkpoint


# --- What is validated ------------------------------------------------------------------------


def _validation_is_skipped() -> bool:
    """A checkpoint is saved before its validation, with which a resumed loop does not begin."""
    begin = "self.runner.call_hook('before_train')\n\n        while self._epoch <"
    return begin in source_of('mmengine.runner.loops')


def _make_up_for_validation(checkpoint_hook: Any) -> None:
    hook = checkpoint_hook.CheckpointHook
    host_before_train, host_after_val = hook.before_train, hook.after_val_epoch
    host_save = hook._save_checkpoint_with_step

    @functools.wraps(host_before_train)
    def before_train(self: Any, runner: Any) -> None:
        host_before_train(self, runner)
        due = bool(runner.iter) and _validation_is_due(runner)
        if (due or not runner.iter) and checkpoint_hook.is_main_process():
            forget_validation(runner.work_dir)
        if due:
            runner.logger.info('The validation of this checkpoint was not finished: once more.')
            step = runner.epoch if self.by_epoch else runner.iter
            path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
            if self.file_backend.exists(path):
                self.last_ckpt = path  # saved again where this one is the best
            runner.val_loop.run()

    @functools.wraps(host_save)
    def save(self: Any, runner: Any, step: int, meta: dict) -> None:
        host_save(self, runner, step, meta)
        if checkpoint_hook.is_main_process():
            forget_validation(runner.work_dir)

    @functools.wraps(host_after_val)
    def after_val_epoch(self: Any, runner: Any, metrics: dict) -> None:
        host_after_val(self, runner, metrics)
        if checkpoint_hook.is_main_process() and _is_training(runner):
            note_validation(runner.work_dir, runner.epoch, runner.iter)

    hook.before_train, hook.after_val_epoch = before_train, after_val_epoch
    hook._save_checkpoint_with_step = save


def _is_training(runner: Any) -> bool:
    from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop

    return isinstance(runner._train_loop, EpochBasedTrainLoop | IterBasedTrainLoop)


def _validation_is_due(runner: Any) -> bool:
    """Whether the loop would have validated here, and that is not noted; the same on all ranks."""
    from mmengine.dist import broadcast_object_list
    from mmengine.runner import EpochBasedTrainLoop

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


MENDS = (
    Mend(
        name='A kill or a full disk leaves half a checkpoint',
        hosts=('mmengine',),
        module='mmengine.fileio.backends.local_backend',
        fault=_files_are_written_in_place,
        mend=_put_whole,
        remedy='keep several checkpoints, and resume from one that loads',
    ),
    Mend(
        name='A kill or a full disk leaves last_checkpoint empty',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_note_is_written_in_place,
        mend=_write_note_whole,
        remedy='resume from a path',
    ),
    Mend(
        name='EarlyStoppingHook ends a training whose last epoch is not saved',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_early_stop_saves_nothing,
        mend=_save_at_early_stop,
        remedy='save every epoch: interval=1 of the CheckpointHook',
    ),
    Mend(
        name='A full disk ends a training with an error that names no file',
        hosts=('mmengine',),
        module='mmengine.visualization.vis_backend',
        fault=_scalars_name_no_file,
        mend=_name_file_of_scalars,
        remedy='see that there is room in the work dir',
    ),
    Mend(
        name='The former checkpoint is removed before the new one is written',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_former_is_removed_first,
        mend=_remove_former_last,
        remedy='keep one checkpoint more: max_keep_ckpts of 2 or more',
    ),
    Mend(
        name='--resume takes what last_checkpoint names, be it cut short or gone',
        hosts=('mmengine',),
        module='mmengine.runner',
        fault=_note_is_believed,
        mend=_find_whole,
        remedy='resume from the path of one that loads',
    ),
    Mend(
        name='A validation that a kill cut short is never made up for',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_validation_is_skipped,
        mend=_make_up_for_validation,
        remedy='test the last checkpoint',
    ),
)
