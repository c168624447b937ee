"""Attention of one query, [CLS], without computing the keys and values of the tokens."""

import torch
from torch import Tensor
from torch.nn import functional as F

Projection = tuple[Tensor, Tensor | None]  # weight (D, D) and bias (D,) of a linear map


def cls_attention(
    query: Tensor,
    tokens: Tensor,
    key: Projection,
    value: Projection,
    num_heads: int,
    dropout: float = 0.0,
) -> Tensor:
    r"""Multi-head attention of one query a sequence over all of its tokens.

    Textbook attention projects every token :math:`x_j` twice. For a single query :math:`q` both
    projections can be moved to the other side of the sums over tokens, head by head:

    .. math::
        q \cdot (W_k x_j + b_k) &= (W_k^\top q) \cdot x_j + q \cdot b_k \\
        \sum_j p_j (W_v x_j + b_v) &= W_v \sum_j p_j x_j + b_v \sum_j p_j

    so the cost falls from :math:`O(L D^2)` to :math:`O(D^2 + L D \cdot \text{heads})`, and the
    result is the same. The sum :math:`\sum_j p_j` is 1 without dropout. :math:`q \cdot b_k` adds
    the same number to all scores; it is kept because DDP waits for the (zero) gradient of the bias.

    Source: scaled dot-product attention, Vaswani et al. 2017, equation 1.

    Args:
        query: the projected query, (B, D).
        tokens: the tokens before projection, (B, L, D).
        key: weight (D, D) and bias (D,) or None of the key projection.
        value: weight (D, D) and bias (D,) or None of the value projection.
        num_heads: number of heads; divides D.
        dropout: probability of dropping an attention weight.

    Returns:
        The attended values before the output projection, (B, D).
    """
    per_head = (num_heads, query.shape[1] // num_heads)  # D -> (heads, D / heads)
    q = query.unflatten(1, per_head) * per_head[1] ** -0.5

    (key_weight, key_bias), (value_weight, value_bias) = key, value
    probe = torch.einsum('bhd,hdc->bhc', q, key_weight.unflatten(0, per_head))
    scores = probe @ tokens.transpose(1, 2)  # (B, heads, L)
    if key_bias is not None:
        scores = scores + (q * key_bias.view(per_head)).sum(2, keepdim=True)
    probs = F.dropout(scores.softmax(2), dropout)

    pooled = probs @ tokens  # (B, heads, D)
    # The weight is the first factor so that its gradient has its memory layout and is not copied.
    out = (value_weight.unflatten(0, per_head) @ pooled.permute(1, 2, 0)).permute(2, 0, 1)
    if value_bias is not None:
        out = out + probs.sum(2, keepdim=True) * value_bias.view(per_head)
    return out.flatten(1)
