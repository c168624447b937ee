"""Mends for what today's MMAction2 and MMEngine break (see ``python -m mmaction_kd.doctor``)."""

import importlib.util
import sys
import types
from pathlib import Path


def _mend_drn() -> None:
    spec = importlib.util.find_spec('mmaction')
    assert spec is not None and spec.origin is not None
    folder = Path(spec.origin).parent / 'models' / 'localizers' / 'drn'
    if folder.exists():
        return
    name = 'mmaction.models.localizers.drn'

    class DRN:
        def __init__(self, *args, **kwargs) -> None:
            raise RuntimeError('DRN: missing in the mmaction2 1.2.0 wheel; install mmaction2 from source.')

    for part in (name, name + '.drn'):
        module = types.ModuleType(part)
        module.DRN = DRN  # type: ignore[attr-defined]
        module.__path__ = []
        sys.modules[part] = module


def _mend_multimodal() -> None:
    if importlib.util.find_spec('timm') is None:
        from mmaction.utils import dependency

        dependency.WITH_MULTIMODAL = False


def apply() -> None:
    _mend_drn()
    _mend_multimodal()


apply()
