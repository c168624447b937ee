"""Two ways into Python's import system, so that patching imports nothing by itself.

- ``when_imported`` calls a function right after a module is first imported.
- ``stand_in`` serves a file of ours as a module that nobody else has.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType


class _AfterImport(MetaPathFinder):
    """Stands first in ``sys.meta_path``: passes each search on and extends the loading."""

    def __init__(self) -> None:
        self.actions: dict[str, list[Callable[[ModuleType], None]]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        actions = self.actions.get(name)
        if actions is None:
            return None
        specs = (
            finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self
        )
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_act(module: ModuleType) -> None:
                load(module)
                for action in actions:
                    action(module)

            # The loader belongs to this one spec, so its class and every other module are left
            # as they are.
            spec.loader.exec_module = load_and_act  # type: ignore[method-assign]
        return spec


class _StandIns(MetaPathFinder):
    """Stands last in ``sys.meta_path``, so the real module wins wherever there is one."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        file = self.files.get(name)
        return None if file is None else importlib.util.spec_from_file_location(name, file)


_AFTER_IMPORT = _AfterImport()
_STAND_INS = _StandIns()


def when_imported(name: str, action: Callable[[ModuleType], None]) -> None:
    """Call ``action(module)`` once the module ``name`` is imported: at once if it already is."""
    if _AFTER_IMPORT not in sys.meta_path:
        sys.meta_path.insert(0, _AFTER_IMPORT)
    _AFTER_IMPORT.actions.setdefault(name, []).append(action)
    if name in sys.modules:
        action(sys.modules[name])


def stand_in(name: str, file: Path) -> None:
    """Serve ``file`` as the module ``name`` where Python finds no other.

    Args:
        name: Dotted name of the module.
        file: Its source; an ``__init__.py`` makes the module a package.
    """
    if _STAND_INS not in sys.meta_path:
        sys.meta_path.append(_STAND_INS)
    _STAND_INS.files[name] = file
