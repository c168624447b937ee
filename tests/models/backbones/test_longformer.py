"""Truth: Hugging Face's Longformer, with every parameter drawn at random."""

import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmaction_kd.models.backbones.cls_attention import cls_attention
from mmaction_kd.models.backbones.longformer import (
    LongformerEncoder,
    block_window_attention,
    dense_window_attention,
)

EMBEDDINGS = dict(positions='position_embeddings', types='token_type_embeddings', norm='LayerNorm')
LAYER = {
    'attn.out': 'attention.output.dense',
    'attn.': 'attention.self.',
    'attn_norm': 'attention.output.LayerNorm',
    'ffn.0': 'intermediate.dense',
    'ffn.2': 'output.dense',
    'ffn_norm': 'output.LayerNorm',
}


def oracle_name(name):
    """The name that Hugging Face gives to a parameter of ``LongformerEncoder``."""
    part, _, rest = name.partition('.')
    if part == 'embeddings':
        module, _, parameter = rest.partition('.')
        return f'embeddings.{EMBEDDINGS[module]}.{parameter}'
    index, _, rest = rest.partition('.')
    ours = next(ours for ours in LAYER if rest.startswith(ours))
    return f'encoder.layer.{index}.{rest.replace(ours, LAYER[ours], 1)}'


def a_pair(width):
    """Hugging Face's model and ours with the same random parameters."""
    transformers = pytest.importorskip('transformers')
    config = transformers.LongformerConfig(
        attention_window=[18] * 3,
        num_hidden_layers=3,
        num_attention_heads=12,
        hidden_size=width,
        intermediate_size=4 * width,
        max_position_embeddings=288,
        pad_token_id=-1,  # counts from the end: row 287 of the position table
        vocab_size=4,
    )
    oracle = transformers.LongformerModel(config, add_pooling_layer=False).eval()
    oracle.embeddings.word_embeddings = None
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in oracle.named_parameters():
            parameter.normal_(std=width**-0.5)
            if 'LayerNorm.weight' in name:
                parameter.add_(1)
    encoder = LongformerEncoder(width).eval()
    theirs = oracle.state_dict()
    encoder.load_state_dict({name: theirs[oracle_name(name)] for name in encoder.state_dict()})
    return oracle, encoder


@pytest.fixture(scope='module')
def pair():
    return a_pair(width=96)


def run_oracle(model, tokens, frame_inds):
    """As VTN calls it: padded to a multiple of 36, with [CLS] global, of type 1 and at 286."""
    pad = -tokens.shape[1] % 36
    is_cls = torch.zeros(len(tokens), tokens.shape[1] + pad, dtype=torch.long)
    is_cls[:, 0] = 1
    positions = F.pad(frame_inds % 286, (1, 0), value=286)
    return model(
        inputs_embeds=F.pad(tokens, (0, 0, 0, pad), value=-1),
        attention_mask=F.pad(torch.ones(tokens.shape[:2], dtype=torch.long), (0, pad)),
        global_attention_mask=is_cls,
        token_type_ids=is_cls,
        position_ids=F.pad(positions, (0, pad), value=287),
    ).last_hidden_state[:, : tokens.shape[1]]


def a_batch(width, frames):
    """Two clips with frame indices of their own."""
    generator = torch.Generator().manual_seed(frames)
    tokens = torch.randn(2, 1 + frames, width, generator=generator)
    frame_inds = torch.randint(0, 600, (2, frames), generator=generator).sort().values
    return tokens, frame_inds


def assert_close(actual, expected, what):
    """Within 1e-5, of the largest value where that is above 1."""
    tolerance = 1e-5 * max(1.0, expected.abs().max().item())
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance, msg=lambda m: what + m)


def check_cls_and_gradients(oracle, encoder, tokens, frame_inds):
    direction = torch.randn(2, tokens.shape[2], generator=torch.Generator().manual_seed(1))
    oracle.zero_grad()
    encoder.zero_grad()
    theirs_in, ours_in = tokens.clone().requires_grad_(), tokens.clone().requires_grad_()

    theirs = run_oracle(oracle, theirs_in, frame_inds)[:, 0]
    (theirs * direction).sum().backward()
    ours = encoder(ours_in, frame_inds)[:, 0]
    (ours * direction).sum().backward()

    assert_close(ours, theirs, 'the output')
    assert_close(ours_in.grad, theirs_in.grad, 'the gradient of the input')
    theirs_grad = {name: p.grad for name, p in oracle.named_parameters()}
    for name, parameter in encoder.named_parameters():
        expected = theirs_grad[oracle_name(name)]
        if parameter.requires_grad:
            assert_close(parameter.grad, expected, name)
        else:
            assert not expected.any(), f'{name} is frozen but has a gradient in the original'


@pytest.mark.parametrize('frames', [1, 8, 9, 16, 35, 36, 64, 250])
def test_cls_and_its_gradients_equal_hugging_face(pair, frames):
    check_cls_and_gradients(*pair, *a_batch(96, frames))


@pytest.mark.slow
@pytest.mark.parametrize('frames', [16, 250])
def test_full_width_equals_hugging_face(frames):
    check_cls_and_gradients(*a_pair(768), *a_batch(768, frames))


@pytest.mark.parametrize('frames', [16, 250])
def test_all_tokens_equal_hugging_face(pair, frames):
    oracle, encoder = pair
    tokens, frame_inds = a_batch(96, frames)
    full = LongformerEncoder(96, cls_only=False).eval()
    full.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        theirs = run_oracle(oracle, tokens, frame_inds)
        ours = full(tokens, frame_inds)
        cls = encoder(tokens, frame_inds)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    torch.testing.assert_close(cls, ours[:, :1], rtol=0, atol=1e-5)


@pytest.mark.parametrize('frames', [1, 9, 63, 64, 65, 137, 192])
def test_blocks_equal_the_dense_mask(frames):
    torch.manual_seed(frames)
    query = torch.randn(2, frames, 3, 8, dtype=torch.double, requires_grad=True)
    key = torch.randn(2, 1 + frames, 3, 8, dtype=torch.double, requires_grad=True)
    value = torch.randn(2, 1 + frames, 3, 8, dtype=torch.double, requires_grad=True)
    dense = dense_window_attention(query, key, value, 9)
    block = block_window_attention(query, key, value, 9)
    torch.testing.assert_close(block, dense)
    direction = torch.randn_like(dense)
    inputs = (query, key, value)
    torch.testing.assert_close(
        torch.autograd.grad((block * direction).sum(), inputs),
        torch.autograd.grad((dense * direction).sum(), inputs),
    )


def test_dropped_attention_weights_equal_the_textbook():
    """With the same mask of dropped weights; without it the bias of the values goes wrong."""
    torch.manual_seed(0)
    key, value = nn.Linear(24, 24).double(), nn.Linear(24, 24).double()
    query, tokens = torch.randn(2, 24).double(), torch.randn(2, 7, 24).double()

    def heads(x):
        return x.unflatten(-1, (3, 8))

    scores = torch.einsum('bhd,blhd->bhl', heads(query), heads(key(tokens))) / 8**0.5
    torch.manual_seed(1)
    probs = F.dropout(scores.softmax(2), 0.5)
    textbook = torch.einsum('bhl,blhd->bhd', probs, heads(value(tokens))).flatten(1)
    torch.manual_seed(1)
    ours = cls_attention(
        query, tokens, (key.weight, key.bias), (value.weight, value.bias), 3, dropout=0.5
    )
    torch.testing.assert_close(ours, textbook)


@pytest.mark.parametrize('attention', [dense_window_attention, block_window_attention])
def test_dropout_reaches_the_window(attention):
    """Every weight dropped: nothing is attended to."""
    parts = torch.randn(3, 1, 6, 2, 4)
    assert not attention(parts[0][:, 1:], parts[1], parts[2], 2, dropout=1.0).nan_to_num().any()


def test_training_drops_and_eval_does_not():
    encoder = LongformerEncoder(24, num_heads=2, drop_rate=0.0, attn_drop_rate=0.5)
    tokens, frame_inds = torch.randn(1, 9, 24), torch.arange(8)[None]
    assert not torch.equal(encoder(tokens, frame_inds), encoder(tokens, frame_inds))
    encoder.eval()
    assert torch.equal(encoder(tokens, frame_inds), encoder(tokens, frame_inds))


def test_the_window_binds():
    """A frame ten away is out of sight of a frame, in one layer; nine away it is seen."""
    encoder = LongformerEncoder(24, num_layers=1, num_heads=2, cls_only=False).eval()
    tokens, frame_inds = torch.randn(1, 17, 24), torch.arange(16)[None]
    moved = tokens.clone()
    moved[:, 1] = torch.randn(24)  # not a constant more, which the layer norm takes away
    change = (encoder(moved, frame_inds) - encoder(tokens, frame_inds)).abs().sum(2)[0]
    assert change[10] > 0 and not change[11:].any()
    assert change[0] > 0


@pytest.mark.parametrize('cls_only', [True, False])
def test_every_trainable_parameter_gets_a_gradient(cls_only):
    """DDP with find_unused_parameters=False waits for each of them."""
    encoder = LongformerEncoder(24, num_heads=2, cls_only=cls_only)
    encoder(torch.randn(1, 9, 24), torch.arange(8)[None])[..., 0].sum().backward()
    waiting = [n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    assert not waiting


def test_parameters():
    encoder = LongformerEncoder()
    assert sum(p.numel() for p in encoder.parameters()) == 26_803_200
    weight = encoder.layers[1].ffn[0].weight
    assert weight.std().item() == pytest.approx(0.02, rel=0.01)
    assert not encoder.layers[1].ffn[0].bias.any()
    assert not encoder.embeddings.positions.weight[287].any()


def test_norms_divide_by_the_standard_deviation_however_small():
    """With eps = 1e-12; PyTorch's own 1e-5 would halve what is four orders smaller."""
    feats = torch.randn(4, 24)
    norms = [m for m in LongformerEncoder(24, num_heads=2).modules() if isinstance(m, nn.LayerNorm)]
    assert len(norms) == 7
    for norm in norms:
        torch.testing.assert_close(norm(1e-4 * feats), norm(feats), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(embed_dims=2048), 'num_heads must divide embed_dims, got 12 and 2048'),
        (dict(window_size=17), 'must be even, got 17; choose 16 or 18'),
    ],
)
def test_errors_name_the_rule(settings, message):
    with pytest.raises(ValueError, match=message):
        LongformerEncoder(**settings)


@pytest.mark.slow
def test_4096_frames_within_2_gib():
    """The whole process, PyTorch and the weights included, forward and backward in train mode."""
    program = """
        import resource, torch
        import mmaction_kd
        from mmaction_kd.models.backbones import LongformerEncoder
        encoder = LongformerEncoder()
        tokens = torch.randn(1, 4097, 768, requires_grad=True)
        encoder(tokens, torch.arange(4096)[None]).sum().backward()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
    """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout.split()[-1]) <= 2
