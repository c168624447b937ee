"""Which checkpoint a training is resumed from, and whether it has been validated."""

from __future__ import annotations

import json
import logging
import os
import re
import zipfile
from pathlib import Path

from mmaction_kd.utils.atomic_file import write_atomically

CHECKPOINT_NOTE = 'last_checkpoint'  # MMEngine's
VALIDATION_NOTE = 'last_validation'
END_NOTE = 'training_end'
NUMBERED = re.compile(r'(epoch|iter)_(?P<number>\d+)\.pth')


def find_last_checkpoint(work_dir: str | Path) -> str | None:
    """Find the last complete checkpoint, also where a kill or a full disk truncated one.

    It is the one that ``last_checkpoint`` names, or the one of that name in this folder, which may
    have been moved. If that is missing or truncated, it is the newest complete one in either folder
    whose name differs in the number alone (``epoch_N.pth`` or ``iter_N.pth`` where none is named),
    and a warning is logged.

    Args:
        work_dir: of the training.

    Returns:
        Its path, or address; None where a training has written none yet.

    Raises:
        FileNotFoundError: there was one, and no complete one is left.
    """
    folder = Path(work_dir)
    note = folder / CHECKPOINT_NOTE
    noted = note.read_text(errors='replace').strip('\0 \r\n') if note.is_file() else ''
    if '://' in noted:
        return noted
    named = [Path(noted), folder / Path(noted).name] if noted else []
    for path in named:
        if is_complete(path):
            return str(path)
    alike = _alike(Path(noted).name)
    folders = {path.resolve(): path for path in (*[path.parent for path in named], folder)}
    others = [
        path for parent in folders.values() for path in _files(parent) if alike.fullmatch(path.name)
    ]
    complete = [path for path in others if is_complete(path)]
    if complete:
        newest = max(complete, key=lambda path: _age(path, alike))
        _warn(
            f'resume: {note} must name a complete checkpoint, got {_state(noted, named)}; '
            f'{newest} is taken, the newest that is complete.'
        )
        return str(newest)
    if noted:
        raise FileNotFoundError(
            f'resume: {note} must name a complete checkpoint, got {_state(noted, named)}, and no '
            f'other complete one is in {folder}; give the path of one, or remove {note} to train '
            'from the beginning.'
        )
    if others:
        _warn(f'resume: no checkpoint in {folder} is complete; the training begins anew.')
    return None


def is_complete(path: Path) -> bool:
    """Check that a checkpoint is not truncated; flipped bits are not detected.

    ``torch.save`` writes a zip, which has its table of contents at the end. Of the files of
    torch < 1.6 only the beginning can be checked.

    Args:
        path: of the checkpoint; a folder, as DeepSpeed writes, counts as complete.

    Returns:
        False also for a missing one.
    """
    try:
        if path.is_dir():
            return True
        with path.open('rb') as file:
            begin = file.read(2)
            if begin != b'PK':
                return begin[:1] == b'\x80'  # of a pickle
            zipfile.ZipFile(file).close()
            return True
    except (OSError, ValueError, zipfile.BadZipFile):  # ValueError: no name of a file
        return False


def note_validation(work_dir: str | Path, epoch: int, iteration: int) -> None:
    """Record a finished validation: the first one after a checkpoint, where a resumed run begins.

    Args:
        work_dir: of the training.
        epoch: epochs done.
        iteration: iterations done.
    """
    note = Path(work_dir, VALIDATION_NOTE)
    if not note.exists():
        write_atomically(note, json.dumps(dict(epoch=epoch, iter=iteration)) + '\n')


def noted_validation(work_dir: str | Path) -> dict[str, int]:
    """Read the ``epoch`` and ``iter`` of the recorded validation; empty where there is none."""
    note = Path(work_dir, VALIDATION_NOTE)
    return json.loads(note.read_text()) if note.is_file() else {}


def forget_validation(work_dir: str | Path) -> None:
    """Remove the record: a new checkpoint has not been validated."""
    Path(work_dir, VALIDATION_NOTE).unlink(missing_ok=True)


def note_training_end(work_dir: str | Path) -> None:
    """Record that a training has ended by itself, and its last checkpoint."""
    last = find_last_checkpoint(work_dir)
    write_atomically(Path(work_dir, END_NOTE), json.dumps(dict(checkpoint=last)) + '\n')


def forget_training_end(work_dir: str | Path) -> None:
    """Remove the record of a training that is about to be resumed."""
    Path(work_dir, END_NOTE).unlink(missing_ok=True)


def last_of_ended(work_dir: str | Path) -> str | None:
    """Return the last checkpoint of a training that has ended.

    Args:
        work_dir: of the training, by tools/train.py.

    Returns:
        Its path, or address; None where the training has not ended, or left none, or the last one
        is not complete any more.

    Raises:
        FileNotFoundError: there was one, and no complete one is left.
    """
    note = Path(work_dir, END_NOTE)
    if not note.is_file():
        return None
    last, found = json.loads(note.read_text())['checkpoint'], find_last_checkpoint(work_dir)
    return found if found and last and Path(found).name == Path(last).name else None


def _alike(name: str) -> re.Pattern:
    """Names with another last number; where there is none, the usual names."""
    numbers = list(re.finditer(r'\d+', name))
    if not numbers or name.startswith('best_'):
        return NUMBERED
    before, after = name[: numbers[-1].start()], name[numbers[-1].end() :]
    return re.compile(rf'{re.escape(before)}(?P<number>\d+){re.escape(after)}')


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except (OSError, ValueError):  # ValueError: no name of a folder
        return []


def _age(path: Path, alike: re.Pattern) -> tuple[int, int]:
    """By when it was written, as a longer run may have left others; if all were copied, by name."""
    return path.stat().st_mtime_ns, int(alike.fullmatch(path.name)['number'])  # type: ignore[index]


def _state(noted: str, named: list[Path]) -> str:
    """What is wrong with what was noted."""
    if not noted:
        return 'nothing'
    return f'{noted}, which is ' + ('cut short' if any(map(os.path.exists, named)) else 'gone')


def _warn(text: str) -> None:
    from mmengine.logging import print_log

    print_log(text, logger='current', level=logging.WARNING)
