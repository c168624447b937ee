"""Models; importing this registers them."""

from mmaction_kd.models import (
    backbones,
    data_preprocessors,
    distillers,
    heads,
    losses,
    recognizers,
)

__all__ = ['backbones', 'data_preprocessors', 'distillers', 'heads', 'losses', 'recognizers']
