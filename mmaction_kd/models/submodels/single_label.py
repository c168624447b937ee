"""Refuse multi-label recognizers."""

from __future__ import annotations

from mmaction.models.losses import BCELossWithLogits, HVULoss
from mmengine.model import BaseModel


def check_single_label(owner: str, name: str, recognizer: BaseModel) -> None:
    """Refuse a multi-label recognizer, whose scores are one sigmoid a class.

    Dominance, soft targets and fusion need a softmax over the classes.

    Args:
        owner: the component that the user configures.
        name: the option that names the recognizer.
        recognizer: an MMAction2 recognizer.

    Raises:
        ValueError: its head is multi-label.
    """
    head = recognizer.cls_head
    loss = getattr(head, 'loss_cls', None)  # not of a head without MMAction2's BaseHead
    several = getattr(head, 'multi_class', False)
    if several or isinstance(loss, BCELossWithLogits | HVULoss):
        got = 'multi_class=True' if several else f'loss_cls of type {type(loss).__name__}'
        raise ValueError(
            f'{owner}: the head of {name} must give a video one class, got {got}; use '
            "multi_class=False with loss_cls=dict(type='CrossEntropyLoss')."
        )
