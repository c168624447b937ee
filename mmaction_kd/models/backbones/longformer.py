"""The temporal encoder of VTN: a small Longformer over one token a frame, with [CLS] first."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmaction_kd.models.backbones.cls_attention import cls_attention
from mmaction_kd.options import Count, Range, Ratio, checked_options

# Up to this many frames one dense mask is as fast as blocks; beyond it its T x T scores come to
# dominate time and memory.
DENSE_FRAMES = 128
BLOCK = 64  # frames whose queries share one span of keys


def dense_window_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    reach: int,
    dropout: float = 0.0,
) -> Tensor:
    r"""Attend from each frame to [CLS] and the frames at most ``reach`` away; one dense mask.

    .. math:: \text{softmax over } \{0\} \cup \{j : |i - j| \le \text{reach}\}

    Source: Beltagy et al. 2020, section 3.1, with one global token.

    Args:
        query: projected frames, scaled by the attention itself, (B, T, heads, d).
        key: projected [CLS] and frames, (B, 1 + T, heads, d).
        value: as ``key``.
        reach: frames attended to on each side.
        dropout: probability of dropping an attention weight.

    Returns:
        Attended frames, (B, T, heads, d).
    """
    frame = torch.arange(query.shape[1], device=query.device)
    near = (frame[:, None] - frame).abs() <= reach  # (T, T)
    mask = F.pad(near, (1, 0), value=True)  # every frame attends to [CLS]
    return _attend(query, key, value, mask, dropout)


def block_window_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    reach: int,
    dropout: float = 0.0,
) -> Tensor:
    """Compute :func:`dense_window_attention` with memory linear in T.

    The frames are cut into blocks. The queries of one block see one span of keys: [CLS], the
    ``reach`` frames before the block, the block, and the ``reach`` frames after it::

        block 1          [ 64 queries ]
        its span   C [ 9 |    64      | 9 ]
        block 2                       [ 64 queries ]
        its span   C              [ 9 |    64      | 9 ]

    Blocks then are just more sequences in the batch: (B, T, ...) -> (B x blocks, 64, ...).

    Arguments and output are those of :func:`dense_window_attention`.
    """
    batch, frames = query.shape[:2]
    blocks = -(-frames // BLOCK)
    tail = blocks * BLOCK - frames
    span = BLOCK + 2 * reach

    def spans(tokens: Tensor) -> Tensor:
        # (B, 1 + T, heads, d) -> (B x blocks, 1 + span, heads, d)
        near = F.pad(tokens[:, 1:], (0, 0, 0, 0, reach, reach + tail)).unfold(1, span, BLOCK)
        near = near.permute(0, 1, 4, 2, 3)  # (B, blocks, heads, d, span) -> (.., span, heads, d)
        cls = tokens[:, None, :1].expand(-1, blocks, -1, -1, -1)
        return torch.cat([cls, near], 2).flatten(0, 1)

    real = torch.ones(frames, dtype=torch.bool, device=query.device)
    real = F.pad(real, (reach, reach + tail)).unfold(0, span, BLOCK)  # (blocks, span)
    column = torch.arange(span, device=query.device)
    offset = column - column[:BLOCK, None]  # query i of a block is in column i + reach
    near = (offset >= 0) & (offset <= 2 * reach)  # (64, span)
    mask = F.pad(near & real[:, None], (1, 0), value=True)  # (blocks, 64, 1 + span)
    mask = mask.repeat(batch, 1, 1)[:, None]

    queries = F.pad(query, (0, 0, 0, 0, 0, tail)).unflatten(1, (blocks, BLOCK)).flatten(0, 1)
    out = _attend(queries, spans(key), spans(value), mask, dropout)
    return out.unflatten(0, (batch, blocks)).flatten(1, 2)[:, :frames]


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, dropout: float) -> Tensor:
    """PyTorch's attention, which wants the heads first, on (B, T, heads, d)."""
    query, key, value = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    out = F.scaled_dot_product_attention(query, key, value, mask, dropout)
    return out.transpose(1, 2)


class LongformerEmbeddings(nn.Module):
    """Add position and type embeddings: LayerNorm(x + position + type), then dropout.

    The last two rows of the position table are those of [CLS] and of padding, so positions wrap
    modulo ``max_positions - 2``. The row of padding is zero and unused.
    Token type 1 is [CLS], 0 a frame.

    Args:
        embed_dims: width D of a token.
        max_positions: rows of the position table.
        drop_rate: probability of dropping a feature.
    """

    def __init__(self, embed_dims: int, max_positions: int, drop_rate: float) -> None:
        super().__init__()
        self.cls_position = max_positions - 2
        self.positions = nn.Embedding(max_positions, embed_dims, padding_idx=max_positions - 1)
        self.types = nn.Embedding(2, embed_dims)
        self.norm = nn.LayerNorm(embed_dims, eps=1e-12)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, tokens: Tensor, frame_inds: Tensor) -> Tensor:
        """(B, 1 + T, D), (B, T) -> (B, 1 + T, D)."""
        positions = F.pad(frame_inds % self.cls_position, (1, 0), value=self.cls_position)
        types = F.pad(torch.zeros_like(frame_inds[:1]), (1, 0), value=1)
        return self.drop(self.norm(tokens + self.positions(positions) + self.types(types)))


class LongformerAttention(nn.Module):
    """Frames attend locally; [CLS] attends to everything, with projections of its own.

    The local query of [CLS] would not be used, so it is not computed. The frames use its local key
    and value.

    Args:
        embed_dims: width D of a token.
        num_heads: number of heads; divides D.
        window_size: frames in the window, both sides together.
        drop_rate: probability of dropping an attention weight.
        cls_only: compute the row of [CLS] alone, without the local projections.
    """

    def __init__(
        self, embed_dims: int, num_heads: int, window_size: int, drop_rate: float, cls_only: bool
    ) -> None:
        super().__init__()
        self.num_heads, self.reach = num_heads, window_size // 2
        self.drop_rate, self.cls_only = drop_rate, cls_only
        self.query = nn.Linear(embed_dims, embed_dims)
        self.key = nn.Linear(embed_dims, embed_dims)
        self.value = nn.Linear(embed_dims, embed_dims)
        self.query_global = nn.Linear(embed_dims, embed_dims)
        self.key_global = nn.Linear(embed_dims, embed_dims)
        self.value_global = nn.Linear(embed_dims, embed_dims)
        self.out = nn.Linear(embed_dims, embed_dims)
        if cls_only:
            # They exist so that the layer is the published one, key by key. In the original their
            # gradient is exactly zero; frozen, they also escape weight decay, and DDP does not
            # wait for gradients that never come.
            for local in (self.query, self.key, self.value):
                local.requires_grad_(False)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, 1 + T, D) -> (B, 1 + T, D), or (B, 1, D) with ``cls_only``."""
        dropout = self.drop_rate if self.training else 0.0
        cls = cls_attention(
            self.query_global(tokens[:, 0]),
            tokens,
            (self.key_global.weight, self.key_global.bias),
            (self.value_global.weight, self.value_global.bias),
            self.num_heads,
            dropout,
        )[:, None]
        if self.cls_only:
            return self.out(cls)
        heads = (self.num_heads, -1)
        short = tokens.shape[1] - 1 <= DENSE_FRAMES
        window_attention = dense_window_attention if short else block_window_attention
        frames = window_attention(
            self.query(tokens[:, 1:]).unflatten(2, heads),
            self.key(tokens).unflatten(2, heads),
            self.value(tokens).unflatten(2, heads),
            self.reach,
            dropout,
        )
        return self.out(torch.cat([cls, frames.flatten(2)], 1))


class LongformerLayer(nn.Module):
    """One post-norm transformer layer: x = LN(x + attention(x)), then x = LN(x + FFN(x)).

    Args:
        embed_dims: width D of a token; the FFN is four times as wide.
        num_heads: number of heads; divides D.
        window_size: frames in the window, both sides together.
        drop_rate: probability of dropping a feature after attention and after the FFN.
        attn_drop_rate: probability of dropping an attention weight.
        cls_only: return [CLS] alone, computing nothing that only other tokens need.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        window_size: int,
        drop_rate: float,
        attn_drop_rate: float,
        cls_only: bool,
    ) -> None:
        super().__init__()
        self.cls_only = cls_only
        self.attn = LongformerAttention(
            embed_dims, num_heads, window_size, attn_drop_rate, cls_only
        )
        self.attn_norm = nn.LayerNorm(embed_dims, eps=1e-12)
        self.ffn = nn.Sequential(
            nn.Linear(embed_dims, 4 * embed_dims), nn.GELU(), nn.Linear(4 * embed_dims, embed_dims)
        )
        self.ffn_norm = nn.LayerNorm(embed_dims, eps=1e-12)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, 1 + T, D) -> (B, 1 + T, D), or (B, 1, D) with ``cls_only``."""
        identity = tokens[:, :1] if self.cls_only else tokens
        x = self.attn_norm(identity + self.drop(self.attn(tokens)))
        return self.ffn_norm(x + self.drop(self.ffn(x)))


class LongformerEncoder(nn.Module):
    """A Longformer encoder whose single global token is [CLS], the first one.

    Every frame attends to its neighbours and to [CLS]; [CLS] attends to all, so cost and memory
    grow linearly with the number of frames. No padding is needed: 17 tokens are computed as 17.

    Source: Beltagy et al., Longformer, 2020; its use over frames: Neimark et al., Video
    Transformer Network, 2021, section 3.2.
    Differs from the paper: in the last layer only what the output [CLS] depends on is computed
    (``cls_only``), and the keys and values of the global attention are never formed
    (:func:`cls_attention`). The results are the same.

    Args:
        embed_dims: width D of a token.
        num_layers: number of layers.
        num_heads: number of heads; divides ``embed_dims``.
        window_size: frames in the attention window, both sides together; even.
        drop_rate: probability of dropping a feature.
        attn_drop_rate: probability of dropping an attention weight.
        max_positions: rows of the position table; positions wrap modulo two less.
        cls_only: output [CLS] alone. False computes every token in the last layer too.

    Raises:
        ValueError: ``num_heads`` does not divide ``embed_dims``, or ``window_size`` is odd.
    """

    @checked_options
    def __init__(
        self,
        embed_dims: Count = 768,
        num_layers: Count = 3,
        num_heads: Count = 12,
        window_size: Annotated[int, Range(0)] = 18,
        drop_rate: Ratio = 0.1,
        attn_drop_rate: Ratio = 0.1,
        max_positions: Annotated[int, Range(3)] = 288,
        cls_only: bool = True,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(
                f'LongformerEncoder: num_heads must divide embed_dims, got {num_heads} and '
                f'{embed_dims}; choose another number of heads, or another embed_dims (VTN then '
                'projects the frame features to it).'
            )
        if window_size % 2:
            raise ValueError(
                'LongformerEncoder: window_size counts both sides and must be even, got '
                f'{window_size}; choose {window_size - 1} or {window_size + 1}.'
            )
        self.embeddings = LongformerEmbeddings(embed_dims, max_positions, drop_rate)
        self.layers = nn.ModuleList(
            LongformerLayer(
                embed_dims,
                num_heads,
                window_size,
                drop_rate,
                attn_drop_rate,
                cls_only and i == num_layers - 1,
            )
            for i in range(num_layers)
        )
        self.apply(_init_normal)

    def forward(self, tokens: Tensor, frame_inds: Tensor) -> Tensor:
        """Encode the tokens of a batch of clips.

        Args:
            tokens: [CLS] and one token a frame, (B, 1 + T, D).
            frame_inds: position of each frame, at least 0, (B, T).

        Returns:
            [CLS] alone, (B, 1, D), or with ``cls_only=False`` all tokens, (B, 1 + T, D).
        """
        x = self.embeddings(tokens, frame_inds)
        for layer in self.layers:
            x = layer(x)
        return x


def _init_normal(module: nn.Module) -> None:
    """N(0, 0.02) weights, zero biases and a zero padding row, as Longformer is published."""
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
