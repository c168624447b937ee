"""Pretrained weights that do not fit the model."""

from __future__ import annotations

import functools
from typing import Any

from mmaction_kd.host_fixes.fix import Fix, source_of


def _nothing_may_be_loaded() -> bool:
    initializer = source_of('mmengine.model.weight_init').partition('class PretrainedInit')[2]
    return 'strict=False' in initializer.partition('\ndef ')[0]


def _something_must_be_loaded(weight_init: Any) -> None:
    initializer = weight_init.PretrainedInit
    host_call = initializer.__call__

    @functools.wraps(host_call)
    def load(self: Any, module: Any) -> None:
        from mmaction_kd.host_fixes.loaded_weights import check_next_load

        owner = f'{type(module).__name__}.init_cfg'
        with check_next_load(module, owner, self.checkpoint, 'any'):
            host_call(self, module)

    initializer.__call__ = load


FIXES = (
    Fix(
        name='init_cfg reports a checkpoint as loaded although no weight fits',
        hosts=('mmengine',),
        module='mmengine.model.weight_init',
        fault=_nothing_may_be_loaded,
        patch=_something_must_be_loaded,
        remedy='look for "do not match exactly" in the log',
    ),
)
