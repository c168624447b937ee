"""Stands in for the module of DRN, so that ``mmaction.models`` can be imported."""

from mmaction.registry import MODELS


@MODELS.register_module()
class DRN:
    """Placeholder that raises RuntimeError, with a remedy, when a config asks for DRN."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError(
            'DRN: its code must be installed, but the wheel of mmaction2 lacks it; '
            'install mmaction2 from its source.'
        )
