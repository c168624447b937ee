"""The attention of [CLS], against textbook attention in NumPy and against Hugging Face's."""

import numpy as np
import pytest
import tiny_mbd
import torch

from mmaction_kd.models.backbones.longformer import LongformerEncoder
from mmaction_kd.visualization import record_cls_rows

D, HEADS, LAYERS, FRAMES = 24, 3, 2, 7


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = LongformerEncoder(D, LAYERS, HEADS, window_size=4, max_positions=40).eval()
    for weight in encoder.parameters():
        torch.nn.init.normal_(weight, std=0.7)  # far from uniform
    return encoder


def run(encoder):
    tokens = torch.randn(2, 1 + FRAMES, D, generator=torch.Generator().manual_seed(1))
    inputs = []
    handles = [
        layer.attn.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach()))
        for layer in encoder.layers
    ]
    with record_cls_rows(encoder) as rows:
        encoder(tokens, 3 * torch.arange(FRAMES).expand(2, -1))
    for handle in handles:
        handle.remove()
    return rows, inputs


def test_it_is_the_definition(encoder):
    rows, inputs = run(encoder)
    assert len(rows) == LAYERS
    for row, tokens, layer in zip(rows, inputs, encoder.layers, strict=True):
        x = tokens.double().numpy()
        attn = layer.attn
        q, k = (
            x @ part.weight.detach().double().numpy().T + part.bias.detach().double().numpy()
            for part in (attn.query_global, attn.key_global)
        )
        d = D // HEADS
        for head in range(HEADS):
            own = slice(head * d, (head + 1) * d)
            scores = np.einsum('bd,bjd->bj', q[:, 0, own], k[:, :, own]) / np.sqrt(d)
            expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            assert row[:, head].numpy() == pytest.approx(expected, abs=1e-5)
        assert row.sum(2).numpy() == pytest.approx(1, abs=1e-6)
        assert row.max() > 0.3  # uniform: 0.125


def test_these_weights_make_the_models_own_output(encoder):
    """Summing the values with them gives what the module puts out."""
    attn = encoder.layers[0].attn
    tokens = torch.randn(2, 1 + FRAMES, D)
    with record_cls_rows(attn) as rows:
        out = attn(tokens)[:, 0]
    values = attn.value_global(tokens).unflatten(2, (HEADS, -1))  # (B, 1 + T, heads, d)
    summed = torch.einsum('bhj,bjhd->bhd', rows[0], values).flatten(1)
    assert torch.allclose(attn.out(summed), out, atol=1e-5)


def test_it_is_that_of_hugging_face(encoder):
    transformers = pytest.importorskip('transformers')
    hf = transformers.models.longformer.modeling_longformer
    config = transformers.LongformerConfig(
        hidden_size=D,
        num_attention_heads=HEADS,
        attention_window=[4] * LAYERS,
        num_hidden_layers=LAYERS,
        attention_probs_dropout_prob=0.0,
    )
    attn = encoder.layers[0].attn
    theirs = hf.LongformerSelfAttention(config, 0).eval()
    for name in ('query', 'key', 'value', 'query_global', 'key_global', 'value_global'):
        getattr(theirs, name).load_state_dict(getattr(attn, name).state_dict())
    tokens = torch.randn(2, 1 + FRAMES, D)
    with record_cls_rows(attn) as rows:
        attn(tokens)
    is_global = torch.zeros(2, 1 + FRAMES, dtype=torch.bool)
    is_global[:, 0] = True
    with torch.no_grad():
        outputs = theirs(
            tokens,
            attention_mask=torch.where(is_global, 10000.0, 0.0),
            is_index_masked=torch.zeros_like(is_global),
            is_index_global_attn=is_global,
            is_global_attn=True,
            output_attentions=True,
        )
    global_probs = outputs[-1]  # (B, heads, global tokens, L)
    found = rows[0].numpy()
    assert found.flatten() == pytest.approx(global_probs.numpy().flatten(), abs=1e-5)


def test_the_hooks_are_gone(encoder):
    model = tiny_mbd.build()
    with record_cls_rows(model) as rows:
        model(*tiny_mbd.batch(1), mode='tensor')
    assert [row.shape[2] for row in rows] == [5] * 4  # two pathways of two layers, 1 + 4 frames
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_what_is_no_vtn_has_none():
    with record_cls_rows(torch.nn.Linear(2, 2)) as rows:
        pass
    assert rows == []
