"""Checkpoints are written atomically, and ``--resume`` finds the last complete one.

:class:`~mmaction_kd.engine.SafeCheckpointHook` does what else a killed training needs.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of
from mmaction_kd.host_fixes.last_checkpoint import find_last_checkpoint
from mmaction_kd.utils.atomic_file import named_write_errors, write_atomically


def _files_are_written_in_place() -> bool:
    return "with open(filepath, 'wb') as f:" in source_of('mmengine.fileio.backends.local_backend')


def _put_atomically(local_backend: Any) -> None:
    backend = local_backend.LocalBackend
    host_put = backend.put

    @functools.wraps(host_put)
    def put(self: Any, obj: Any, filepath: str | Path) -> None:
        path = Path(os.path.realpath(filepath))  # a link stays a link
        if path.exists() and not path.is_file():  # a device, such as /dev/null
            host_put(self, obj, filepath)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, obj)

    @functools.wraps(backend.put_text)
    def put_text(self: Any, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        put(self, obj.encode(encoding), filepath)

    backend.put, backend.put_text = put, put_text


def _note_is_written_in_place() -> bool:
    source = source_of('mmengine.hooks.checkpoint_hook')
    return source.count('open(') == 1 and "with open(save_file, 'w') as f:" in source


def _write_note_atomically(checkpoint_hook: Any) -> None:
    checkpoint_hook.open = _open_atomically


@contextlib.contextmanager
def _open_atomically(file: str, mode: str) -> Iterator[io.StringIO]:
    text = io.StringIO()
    yield text
    write_atomically(Path(file), text.getvalue())


def _scalars_name_no_file() -> bool:
    return "with open(file_path, 'a+') as f:" in source_of('mmengine.visualization.vis_backend')


def _name_file_of_scalars(vis_backend: Any) -> None:
    backend = vis_backend.LocalVisBackend
    host_dump = backend._dump

    @functools.wraps(host_dump)
    def dump(self: Any, value_dict: dict, file_path: str, file_format: str) -> None:
        with named_write_errors(Path(file_path)):
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


def _note_is_trusted() -> bool:
    return 'last_saved = f.read().strip()' in source_of('mmengine.runner.checkpoint')


def _find_complete(runner: Any) -> None:
    host_find = runner.checkpoint.find_latest_checkpoint

    @functools.wraps(host_find)
    def find_latest_checkpoint(path: str) -> str | None:
        return find_last_checkpoint(path)

    for module in (runner, runner.checkpoint, runner.runner, runner._flexible_runner):
        module.find_latest_checkpoint = find_latest_checkpoint


FIXES = (
    Fix(
        name='A kill or a full disk leaves half a checkpoint',
        hosts=('mmengine',),
        module='mmengine.fileio.backends.local_backend',
        fault=_files_are_written_in_place,
        patch=_put_atomically,
        remedy='keep several checkpoints, and resume from one that loads',
    ),
    Fix(
        name='A kill or a full disk leaves last_checkpoint empty',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_note_is_written_in_place,
        patch=_write_note_atomically,
        remedy='resume from a path',
    ),
    Fix(
        name='EarlyStoppingHook ends a training whose last epoch is not saved',
        hosts=('mmengine',),
        module='mmengine.hooks.checkpoint_hook',
        fault=_early_stop_saves_nothing,
        patch=_save_at_early_stop,
        remedy='save every epoch: interval=1 of the CheckpointHook',
    ),
    Fix(
        name='A full disk ends a training with an error that names no file',
        hosts=('mmengine',),
        module='mmengine.visualization.vis_backend',
        fault=_scalars_name_no_file,
        patch=_name_file_of_scalars,
        remedy='see that there is room in the work dir',
    ),
    Fix(
        name='--resume takes what last_checkpoint names, be it cut short or gone',
        hosts=('mmengine',),
        module='mmengine.runner',
        fault=_note_is_trusted,
        patch=_find_complete,
        remedy='resume from the path of one that loads',
    ),
)
