"""The temporal encoder to its [CLS], forward and backward, against Hugging Face's Longformer.

Theirs is padded to a multiple of twice the window, 36 tokens, as VTN calls it.
"""

from __future__ import annotations

import argparse

import torch
from torch.nn import functional as F

from mmaction_kd.benchmark.side_by_side import compare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only this measurement has."""
    parser.add_argument('--frames', type=int, nargs='+', default=[16, 1024])
    parser.add_argument('--batch-size', type=int, default=8)


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module."""
    from mmaction_kd.models.backbones import LongformerEncoder

    theirs = _hugging_face_longformer().to(args.device).train()
    ours = LongformerEncoder().to(args.device).train()
    results = {}
    for num_frames in args.frames:
        length = 1 + num_frames
        tokens = torch.randn(args.batch_size, length, 768, device=args.device, requires_grad=True)
        frame_inds = 8 * torch.arange(num_frames, device=args.device).expand(args.batch_size, -1)
        padding = -length % 36
        kept = F.pad(torch.ones(args.batch_size, length, device=args.device), (0, padding))
        is_cls = torch.zeros_like(kept, dtype=torch.long)
        is_cls[:, 0] = 1
        positions = F.pad(F.pad(frame_inds % 286, (1, 0), value=286), (0, padding), value=287)
        direction = torch.randn(args.batch_size, 768, device=args.device)  # of the gradient

        def run_ours(tokens=tokens, frame_inds=frame_inds, direction=direction) -> None:
            ours.zero_grad()
            with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
                cls = ours(tokens, frame_inds)[:, 0]
            (cls * direction).sum().backward()

        def run_theirs(
            tokens=tokens,
            kept=kept,
            is_cls=is_cls,
            positions=positions,
            padding=padding,
            direction=direction,
        ) -> None:
            theirs.zero_grad()
            with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
                cls = theirs(
                    inputs_embeds=F.pad(tokens, (0, 0, 0, padding)),
                    attention_mask=kept,
                    global_attention_mask=is_cls,
                    token_type_ids=is_cls,
                    position_ids=positions,
                ).last_hidden_state[:, 0]
            (cls * direction).sum().backward()

        name = f'temporal encoder, {length} tokens, batch {args.batch_size}'
        results[name] = compare(run_ours, run_theirs, args.pairs, args.device, warmup=3)
    return results


def _hugging_face_longformer() -> torch.nn.Module:
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
