"""Configs of this package as bases of other configs: ``_base_ = 'mmaction_kd::mbd/...'``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of
from mmaction_kd.host_fixes.import_hooks import when_imported

_PACKAGE = 'mmaction_kd'
_FOLDER = Path(__file__).parents[1]


def _name_is_refused() -> bool:
    source = source_of('mmengine.config.utils')
    return 'MODULE2PACKAGE = {' in source and f"'{_PACKAGE}'" not in source


def _find_our_folder(module: Any) -> None:
    """MMEngine looks for the configs of an editable install in ``site-packages``."""
    installed_path = module.get_installed_path

    @functools.wraps(installed_path)
    def get_installed_path(package: str) -> str:
        return str(_FOLDER) if package == _PACKAGE else installed_path(package)

    module.get_installed_path = get_installed_path


def _add_name(config_utils: Any) -> None:
    config_utils.MODULE2PACKAGE[_PACKAGE] = _PACKAGE
    for module in ('mmengine.config.config', 'mmengine.hub.hub'):
        when_imported(module, _find_our_folder)


FIXES = (
    Fix(
        name='mmengine does not support to load mmaction_kd config',
        hosts=('mmengine',),
        module='mmengine.config.utils',
        fault=_name_is_refused,
        patch=_add_name,
        remedy='name the base by its path',
    ),
)
