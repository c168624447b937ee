"""Weight of each frame in a VTN: the [CLS] row of its temporal attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmaction_kd.models.backbones.longformer import LongformerAttention


def cls_row(attention: LongformerAttention, tokens: Tensor) -> Tensor:
    r"""Compute the attention of [CLS] to each token.

    .. math:: p = \text{softmax}_j \big( q_0 \cdot k_j / \sqrt{d} \big), \quad
        q_0 = W_q x_0 + b_q, \quad k_j = W_k x_j + b_k

    head by head, with the global projections. The model itself never forms the keys
    (:func:`~mmaction_kd.models.backbones.cls_attention.cls_attention`).

    Source: Beltagy et al., Longformer, 2020, section 3.1.

    Args:
        attention: of one layer.
        tokens: its input, [CLS] first, (B, 1 + T, D).

    Returns:
        (B, heads, 1 + T), each row sums to 1.
    """
    heads = (attention.num_heads, -1)
    query = attention.query_global(tokens[:, 0]).unflatten(1, heads)  # (B, heads, d)
    keys = attention.key_global(tokens).unflatten(2, heads)  # (B, 1 + T, heads, d)
    scores = torch.einsum('bhd,bjhd->bhj', query, keys) * query.shape[2] ** -0.5
    return scores.softmax(2)


@contextmanager
def record_cls_rows(model: nn.Module) -> Iterator[list[Tensor]]:
    """Record the [CLS] rows of a VTN's temporal encoder while the block runs.

    Args:
        model: has the encoder somewhere inside.

    Yields:
        One (B, heads, 1 + T) for each layer that ran, in order, without gradient; none if the
        model has no such layer.
    """
    rows: list[Tensor] = []

    def keep_row(module: nn.Module, args: tuple) -> None:
        with torch.no_grad():
            rows.append(cls_row(module, *args))  # type: ignore[arg-type]

    handles = [
        module.register_forward_pre_hook(keep_row)
        for module in model.modules()
        if isinstance(module, LongformerAttention)
    ]
    try:
        yield rows
    finally:
        for handle in handles:
            handle.remove()
