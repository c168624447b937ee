"""A fix: one fault of the host, how to detect it, and the patch."""

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
    """Outcome of a fix in this process."""

    WAITING = 'waiting'  # the module to patch is not imported yet
    ABSENT = 'absent'  # the host has no such fault; nothing was patched
    FIXED = 'fixed'
    FAILED = 'present'  # the fault is there, and the patch raised an error


@dataclasses.dataclass
class Fix:
    """One fault of the host and its fix.

    A fix imports nothing: it is applied right after the host first imports the module to patch, or
    at once if that is imported already.

    Args:
        name: what goes wrong without the fix, in the words that a user sees.
        hosts: distributions that cause the fault together.
        module: dotted name of the module to patch.
        fault: returns whether the fault is there, without triggering it.
        patch: patches the module, its argument.
        remedy: what a user can do instead of the fix.
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
        """Patch the module now, or when it is imported; a second call does nothing."""
        if not self._applied:
            self._applied = True
            when_imported(self.module, self._run)

    def _run(self, module: Any) -> None:
        # A fix that fails must not break the host's import; the doctor reports it.
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
    """Return the text of a module's source file without importing it; '' where there is none.

    Python's finders look up the top-level package only, which imports nothing; the rest is a path
    in its folder.
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
    """Return whether a top-level module can be found, without importing it."""
    return importlib.util.find_spec(module) is not None


def version_of(distribution: str) -> str:
    """Return the version of a distribution; '' if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ''


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: '2.14.1+cpu' -> (2, 14, 1); () where there are none."""
    found = re.match(r'\d+(\.\d+)*', version)
    return tuple(int(part) for part in found.group().split('.')) if found else ()
