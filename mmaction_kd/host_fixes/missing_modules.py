"""Modules that the host imports and that are missing."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, is_importable, source_of
from mmaction_kd.host_fixes.import_hooks import stand_in

_STAND_INS = Path(__file__).parent / 'stand_ins'
_DRN = 'mmaction.models.localizers.drn'


def _drn_is_missing() -> bool:
    spec = importlib.util.find_spec('mmaction')
    if spec is None or 'from .drn.drn import' not in source_of('mmaction.models.localizers'):
        return False
    folders = spec.submodule_search_locations or ()
    return not any(Path(folder, 'models/localizers/drn/drn.py').is_file() for folder in folders)


def _serve_drn(sys: Any) -> None:
    # The stand-in is a package: Python finds `drn.drn` in its folder.
    stand_in(_DRN, _STAND_INS / 'drn' / '__init__.py')


def _multimodal_fails() -> bool:
    """Return whether MMAction2 would import its multimodal part and fail.

    It does so wherever `transformers` is installed. That part also needs a deprecated module of
    timm, and names that transformers has dropped since.
    """
    if not is_importable('transformers'):
        return False
    gone = 'find_pruneable_heads_and_indices' not in source_of('transformers.modeling_utils')
    return gone or not source_of('timm.models.layers')


def _switch_multimodal_off(dependency: Any) -> None:
    dependency.WITH_MULTIMODAL = False


def _pkg_resources_is_missing() -> bool:
    return not is_importable('pkg_resources') and 'import pkg_resources' in source_of(
        'mmengine.utils.package_utils'
    )


def _serve_pkg_resources(sys: Any) -> None:
    stand_in('pkg_resources', _STAND_INS / 'pkg_resources.py')


FIXES = (
    Fix(
        name="No module named 'mmaction.models.localizers.drn'",
        hosts=('mmaction2',),
        module='sys',
        fault=_drn_is_missing,
        patch=_serve_drn,
        remedy='install mmaction2 from its source to train DRN; nothing else needs it',
    ),
    Fix(
        name='mmaction.models imports its multimodal part, which fails',
        hosts=('mmaction2', 'transformers', 'timm'),
        module='mmaction.utils.dependency',
        fault=_multimodal_fails,
        patch=_switch_multimodal_off,
        remedy='uninstall transformers: only the multimodal models of MMAction2 need it',
    ),
    Fix(
        name="No module named 'pkg_resources' at _base_='mmaction::...'",
        hosts=('mmengine', 'setuptools'),
        module='sys',
        fault=_pkg_resources_is_missing,
        patch=_serve_pkg_resources,
        remedy='pip install "setuptools<82"',
    ),
)
