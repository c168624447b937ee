"""Stands in for the module of DRN, so that ``mmaction.models`` can be imported."""

from mmaction.registry import MODELS


@MODELS.register_module()
class DRN:
    """Says what to do when a config asks for DRN.

    Raises:
        RuntimeError: Always.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        raise RuntimeError(
            'DRN: its code must be installed, but the wheel of mmaction2 lacks it; '
            'install mmaction2 from its source.'
        )
