"""A fix: one fault of the host, how it is found, and the patch for it."""

from __future__ import annotations

import dataclasses
import enum
import importlib.util
import re
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from mmaction_kd.host_fixes.import_hooks import when_imported


class Outcome(enum.Enum):
    """What became of a fix in this process."""

    WAITING = 'waiting'  # the module that it changes is not imported yet
    ABSENT = 'absent'  # the host has no such fault: nothing was touched
    FIXED = 'fixed'
    FAILED = 'present'  # the fault is there and the fix did not take


@dataclasses.dataclass
class Fix:
    """One fault of the host and its fix.

    Nothing is imported for a fix: it happens right after the host itself first imports the
    module that is changed, or at once where that module is there already.

    Args:
        name: What goes wrong without the fix, in the words a user sees.
        hosts: The distributions that make the fault together.
        module: Dotted name of the module that is changed.
        fault: Whether the fault is there, found without triggering it.
        patch: Changes the module, which it is given.
        remedy: What a user can do instead, so that the fix is not needed.
    """

    name: str
    hosts: tuple[str, ...]
    module: str
    fault: Callable[[], bool]
    patch: Callable[[Any], None]
    remedy: str
    outcome: Outcome = Outcome.WAITING
    error: str = ''
    _applied: bool = False

    def apply(self) -> None:
        """Fix the module now or when it is imported; a second call does nothing."""
        if not self._applied:
            self._applied = True
            when_imported(self.module, self._run)

    def _run(self, module: Any) -> None:
        # A fix that fails must not take the host's import down with it: the doctor reports it.
        try:
            faulty = self.fault()
            if faulty:
                self.patch(module)
        except Exception as error:
            self.outcome, self.error = Outcome.FAILED, f'{type(error).__name__}: {error}'
            warnings.warn(
                f'mmaction_kd could not fix "{self.name}" ({self.error}); '
                'run `python -m mmaction_kd.host_fixes.doctor`.',
                stacklevel=2,
            )
        else:
            self.outcome = Outcome.FIXED if faulty else Outcome.ABSENT


def source_of(module: str) -> str:
    """Text of a module's source file, found without importing it; '' where there is none.

    Only the top-level package is looked up by Python's finders (which imports nothing), the rest
    is a path inside its folder.
    """
    top, *rest = module.split('.')
    spec = importlib.util.find_spec(top)
    if spec is None:
        return ''
    if not rest:
        return Path(spec.origin).read_text(encoding='utf-8') if spec.origin else ''
    for folder in spec.submodule_search_locations or ():
        base = Path(folder, *rest)
        for file in (base.with_suffix('.py'), base / '__init__.py'):
            if file.is_file():
                return file.read_text(encoding='utf-8')
    return ''


def is_importable(module: str) -> bool:
    """Whether a top-level module is there, without importing it."""
    return importlib.util.find_spec(module) is not None


def version_of(distribution: str) -> str:
    """Version of an installed distribution, '' where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ''


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version: '2.14.1+cpu' -> (2, 14, 1); () where there are none."""
    found = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(part) for part in found.group().split('.')) if found else ()
