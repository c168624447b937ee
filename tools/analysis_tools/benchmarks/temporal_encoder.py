"""The temporal encoder to its [CLS], forward and backward, against Hugging Face's Longformer.

Theirs is padded to a multiple of twice the window, 36 tokens, as VTN calls it. With --memory also
what each needs at its peak, weights and inputs not counted, gradients counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional as F

from benchmarks.peak_memory import peak_memory
from benchmarks.side_by_side import compare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--frames', type=int, nargs='+', default=[16, 1024])
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--warmup', type=int, default=3, help='runs that are not counted')
    parser.add_argument('--memory', action='store_true', help='measure the peak of memory, too')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    sides = our_encoder(args), hugging_face_longformer(args)
    results = {}
    for num_frames in args.frames:
        our_step, their_step = (step(model, num_frames, args) for model, step in sides)
        name = f'temporal encoder, {1 + num_frames} tokens, batch {args.batch_size}'
        results[name] = compare(our_step, their_step, args.pairs, args.device, args.warmup)
        if args.memory:
            ours, theirs = (
                peak_memory(partial(_alone, side, num_frames, args), args.device)
                for side in (our_encoder, hugging_face_longformer)
            )
            results[f'{name}, peak memory'] = dict(
                ours_of_theirs=ours / theirs, ours_mb=ours / 1e6, theirs_mb=theirs / 1e6
            )
    return results


Step = Callable[[], None]
Side = tuple[torch.nn.Module, Callable[[torch.nn.Module, int, argparse.Namespace], Step]]


def our_encoder(args: argparse.Namespace) -> Side:
    """Ours, and what makes its step."""
    from mmaction_kd.models.backbones import LongformerEncoder

    return LongformerEncoder().to(args.device).train(), _our_step


def hugging_face_longformer(args: argparse.Namespace) -> Side:
    """Theirs, and what makes its step."""
    return _hugging_face_model().to(args.device).train(), _their_step


def _alone(
    side: Callable[[argparse.Namespace], Side], frames: int, args: argparse.Namespace
) -> Step:
    model, step = side(args)
    return step(model, frames, args)


def _tokens(frames: int, args: argparse.Namespace) -> tuple[torch.Tensor, ...]:
    """Of [CLS] and the frames, (B, 1 + T, D), indices of the frames, direction of the gradient."""
    shape = (args.batch_size, 1 + frames, 768)
    tokens = torch.randn(shape, device=args.device, requires_grad=True)
    frame_inds = 8 * torch.arange(frames, device=args.device).expand(args.batch_size, -1)
    return tokens, frame_inds, torch.randn(args.batch_size, 768, device=args.device)


def _our_step(model: torch.nn.Module, frames: int, args: argparse.Namespace) -> Step:
    tokens, frame_inds, direction = _tokens(frames, args)

    def step() -> None:
        model.zero_grad()
        tokens.grad = None
        with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
            cls = model(tokens, frame_inds)[:, 0]
        (cls * direction).sum().backward()

    return step


def _their_step(model: torch.nn.Module, frames: int, args: argparse.Namespace) -> Step:
    tokens, frame_inds, direction = _tokens(frames, args)
    padding = -(1 + frames) % 36
    kept = F.pad(torch.ones(args.batch_size, 1 + frames, device=args.device), (0, padding))
    is_cls = torch.zeros_like(kept, dtype=torch.long)
    is_cls[:, 0] = 1
    positions = F.pad(F.pad(frame_inds % 286, (1, 0), value=286), (0, padding), value=287)

    def step() -> None:
        model.zero_grad()
        tokens.grad = None
        with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
            cls = model(
                inputs_embeds=F.pad(tokens, (0, 0, 0, padding)),
                attention_mask=kept,
                global_attention_mask=is_cls,
                token_type_ids=is_cls,
                position_ids=positions,
            ).last_hidden_state[:, 0]
        (cls * direction).sum().backward()

    return step


def _hugging_face_model() -> torch.nn.Module:
    try:
        from transformers import LongformerConfig, LongformerModel
    except ImportError as error:
        raise SystemExit(
            'benchmark: temporal-encoder compares with transformers, which is not installed; '
            'pip install -r requirements/tests.txt'
        ) from error
    config = LongformerConfig(
        attention_window=[18] * 3,
        num_hidden_layers=3,
        num_attention_heads=12,
        hidden_size=768,
        intermediate_size=3072,
        max_position_embeddings=288,
        pad_token_id=-1,
        vocab_size=4,
    )
    model = LongformerModel(config, add_pooling_layer=False)
    model.embeddings.word_embeddings = None  # type: ignore[assignment]
    return model
