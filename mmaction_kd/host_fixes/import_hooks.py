"""Two import hooks, so that patching imports nothing by itself.

- ``when_imported`` calls a function right after a module is first imported.
- ``stand_in`` loads a file as a module that is not installed.
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
    """Meta path finder, the first: delegates each search and extends the loading."""

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

            # The loader belongs to this one spec: no other module is affected.
            spec.loader.exec_module = load_and_act  # type: ignore[method-assign]
        return spec


class _StandIns(MetaPathFinder):
    """Meta path finder, the last: an installed module takes precedence."""

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
    """Load ``file`` as the module ``name`` where Python finds no other.

    Args:
        name: dotted name of the module.
        file: its source; an ``__init__.py`` makes the module a package.
    """
    if _STAND_INS not in sys.meta_path:
        sys.meta_path.append(_STAND_INS)
    _STAND_INS.files[name] = file
