"""What parts of this package cost, each as a ratio against an alternative in the same run.

    python tools/analysis_tools/benchmark.py decode VIDEO [VIDEO ...]
    python tools/analysis_tools/benchmark.py mbd-step [--config CONFIG] [--batch-size N]
    python tools/analysis_tools/benchmark.py dtkd-step [--config CONFIG] [--batch-size N]
    python tools/analysis_tools/benchmark.py report-hook [--config CONFIG] [--batch-size N]
    python tools/analysis_tools/benchmark.py temporal-encoder [--frames 16 1024]

Both sides run in turn, pair by pair and each first in every other pair, after a warm-up. Printed
(and written, with --out FILE.json): the ratio of the medians, the quartiles of the pairs' ratios,
both medians in seconds. Other work on the machine moves both sides; look at the quartiles.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from torch.nn import functional as F

import mmaction_kd
from mmaction_kd.observations import observe, take_observations
from mmaction_kd.registry import MODELS, TRANSFORMS
from mmaction_kd.report.class_counts import ObservationSums

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'
STUDENT_CONFIG = 'configs/dtkd/slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py'


def compare(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    pairs: int,
    device: str = 'cpu',
    warmup: int = 1,
) -> dict:
    """Time two functions side by side.

    Args:
        ours: what is measured.
        theirs: what it is measured against.
        pairs: runs of each.
        device: waited for, if it works asynchronously.
        warmup: runs of each that are not counted.

    Returns:
        ``ratio`` of the medians, ``quartiles`` of the ratios of the pairs, both ``median`` s.
    """

    def seconds(function: Callable[[], object]) -> float:
        start = time.perf_counter()
        function()
        if device.startswith('cuda'):
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    for _ in range(warmup):
        seconds(ours), seconds(theirs)
    times: dict[str, list[float]] = dict(ours=[], theirs=[])
    sides = [('ours', ours), ('theirs', theirs)]
    for pair in range(pairs):
        for name, function in sides if pair % 2 else reversed(sides):
            times[name].append(seconds(function))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [a / b for a, b in zip(times['ours'], times['theirs'], strict=True)]
    return dict(
        ratio=medians['ours'] / medians['theirs'],
        quartiles=np.quantile(ratios, [0.25, 0.75]).tolist(),
        ours_seconds=medians['ours'],
        theirs_seconds=medians['theirs'],
        pairs=pairs,
    )


def decode(args: argparse.Namespace) -> dict[str, dict]:
    """One decode for both pathways against one for each, at the same frame indices."""
    cfg = Config.fromfile(args.config)
    step = next(s for s in cfg.train_pipeline if s.type == 'mmaction_kd.PathwayPipelines')
    together = TRANSFORMS.build(step)
    # Alphabetically, as PathwayPipelines draws its random numbers.
    alone = {name: list(step.pathways[name]) for name in sorted(step.pathways)}
    for name, steps in alone.items():
        if 'Init' not in steps[0].type:
            alone[name] = [dict(type='DecordInit'), *steps]
    cut = {name: _up_to_decode(steps) for name, steps in alone.items()}
    whole = {name: Compose(steps) for name, steps in alone.items()}

    def shared(run: Callable[[dict], object], video: str) -> Callable[[], None]:
        def function() -> None:
            np.random.seed(next(clip))
            run(dict(filename=video, label=0))

        clip = itertools.count()
        return function

    def stock(pipelines: dict[str, Compose], video: str) -> Callable[[], None]:
        def function() -> None:
            np.random.seed(next(clip))
            for pipeline in pipelines.values():
                pipeline(dict(filename=video, start_index=0, modality='RGB', label=0))

        clip = itertools.count()  # the i-th run of either side draws the same clips
        return function

    results = {}
    for video in args.videos:
        results[f'decode {Path(video).name}'] = compare(
            shared(together.decode, video), stock(cut, video), args.pairs
        )
        results[f'pipeline {Path(video).name}'] = compare(
            shared(together, video), stock(whole, video), args.pairs
        )
    for kind in ('decode', 'pipeline'):
        ratios = [r['ratio'] for name, r in results.items() if name.startswith(kind)]
        results[f'{kind}, median of {len(ratios)} videos'] = dict(
            ratio=statistics.median(ratios), quartiles=np.quantile(ratios, [0.25, 0.75]).tolist()
        )
    return results


def mbd_step(args: argparse.Namespace) -> dict[str, dict]:
    """A training step of MBD against one of each pathway alone, on the same inputs."""
    model, inputs, samples = _mbd(args)
    together = _train_step(model, inputs, samples, args)
    alone = [
        _train_step(pathway, inputs[f'{name}_pathway'], samples, args)
        for name, pathway in model.pathways.items()
    ]
    title = f'MBD step, {Path(args.config).stem}, batch {args.batch_size}'
    both_alone = partial(_run_all, alone)
    return {title: compare(together, both_alone, args.pairs, device=args.device)}


def report_hook(args: argparse.Namespace) -> dict[str, dict]:
    """What DistillReportHook does in a training step against that step of MBD."""
    model, inputs, samples = _mbd(args)
    targets = torch.zeros(len(samples), dtype=torch.long, device=args.device)
    groups = dict.fromkeys(('local', 'global'), targets == 0)
    num_classes = model.local_pathway.cls_head.num_classes
    sums = ObservationSums()

    def count() -> None:
        observe('dominance', num_classes, targets, groups)
        sums.add(take_observations())

    step = _train_step(model, inputs, samples, args)
    title = f'report hook, {Path(args.config).stem}, batch {args.batch_size}'
    return {title: compare(count, step, args.pairs, device=args.device)}


def _mbd(args: argparse.Namespace) -> tuple[BaseModel, dict, list[ActionDataSample]]:
    """An MBD model, and a batch of one rendered video through its train pipeline."""
    cfg = Config.fromfile(args.config)
    pipeline = Compose(cfg.train_pipeline)
    video = np.random.default_rng(0).integers(0, 256, (160, 256, 320, 3), dtype=np.uint8)
    frames = dict(array=video, total_frames=len(video), start_index=0, modality='RGB', label=0)
    batch = pseudo_collate([pipeline(dict(frames)) for _ in range(args.batch_size)])
    model = MODELS.build(cfg.model).to(args.device).train()
    data = model.data_preprocessor(batch, training=True)
    return model, data['inputs'], data['data_samples']


def dtkd_step(args: argparse.Namespace) -> dict[str, dict]:
    """A routed training step of DTKD against one whose teachers both see every sample.

    Student and teachers are the same model; every other sample is the one teacher's. Counted in
    forward passes of a sample, a backward pass as two: 4 against 5, so 0.8 is the limit.
    """
    model_cfg = Config.fromfile(args.config).model
    num_classes = model_cfg.cls_head.num_classes
    subsets = {name: list(range(i, num_classes, 2)) for i, name in enumerate(('dynamic', 'static'))}
    teachers = {name: copy.deepcopy(model_cfg) for name in subsets}
    for name, teacher in teachers.items():
        teacher.cls_head.num_classes = len(subsets[name])
    loss = dict(type='mmaction_kd.HybridScoreLoss', subsets=subsets, outside_score='buffer')
    distiller = dict(student=model_cfg, teachers=teachers, distill_loss=loss)
    model = MODELS.build(dict(type='mmaction_kd.DualTeacherDistiller', **distiller))
    model.to(args.device).train()
    shape = (args.batch_size, 1, 3, args.frames, args.size, args.size)
    inputs = torch.randn(shape, device=args.device)
    samples = [ActionDataSample().set_gt_label(i % num_classes) for i in range(args.batch_size)]
    train_step = _train_step(model, inputs, samples, args)
    routed = model.distill_loss.needed

    def everything(targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return dict.fromkeys(subsets, torch.ones_like(targets, dtype=torch.bool))

    def unrouted() -> None:
        model.distill_loss.needed = everything
        train_step()
        model.distill_loss.needed = routed

    title = f'DTKD step, {Path(args.config).stem}, batch {args.batch_size}'
    return {title: compare(train_step, unrouted, args.pairs, device=args.device)}


def temporal_encoder(args: argparse.Namespace) -> dict[str, dict]:
    """The temporal encoder to its [CLS], forward and backward, against Hugging Face's Longformer.

    Theirs is padded to a multiple of twice the window, 36 tokens, as VTN calls it.
    """
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


def _train_step(
    model: BaseModel, inputs: object, samples: list, args: argparse.Namespace
) -> Callable[[], None]:
    """A step of SGD, always on the same batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)

    def step() -> None:
        with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
            losses = model(inputs, samples, mode='loss')
        loss, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _run_all(steps: list[Callable[[], None]]) -> None:
    for step in steps:
        step()


def _up_to_decode(steps: list) -> Compose:
    kinds = [str(step['type']) for step in steps]
    return Compose(steps[: next(i for i, kind in enumerate(kinds) if 'Decode' in kind) + 1])


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
    model.embeddings.word_embeddings = None
    return model


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument('--pairs', type=int, default=21, help='runs of each side')
    common.add_argument('--device', default='cpu', help="'cpu' or 'cuda'")
    common.add_argument('--amp', action='store_true', help='bfloat16 autocast')
    common.add_argument('--threads', type=int, help='threads of torch on the CPU')
    common.add_argument('--out', type=Path, help='write the results to this .json file')
    commands = parser.add_subparsers(dest='command', required=True)
    command = commands.add_parser('decode', parents=[common], help=decode.__doc__)
    command.add_argument('videos', nargs='+', help='paths of videos')
    command.add_argument('--config', default=MBD_CONFIG, help='where the train pipeline is')
    command.set_defaults(run=decode)
    command = commands.add_parser('mbd-step', parents=[common], help=mbd_step.__doc__)
    command.add_argument('--config', default=MBD_CONFIG, help='where the model is')
    command.add_argument('--batch-size', type=int, default=1)
    command.set_defaults(run=mbd_step)
    command = commands.add_parser('report-hook', parents=[common], help=report_hook.__doc__)
    command.add_argument('--config', default=MBD_CONFIG, help='where the model is')
    command.add_argument('--batch-size', type=int, default=1)
    command.set_defaults(run=report_hook)
    command = commands.add_parser('dtkd-step', parents=[common], help=dtkd_step.__doc__)
    command.add_argument('--config', default=STUDENT_CONFIG, help='where the student is')
    command.add_argument('--batch-size', type=int, default=8)
    command.add_argument('--frames', type=int, default=32, help='of a clip')
    command.add_argument('--size', type=int, default=112, help='of a frame, pixels')
    command.set_defaults(run=dtkd_step)
    name = 'temporal-encoder'
    command = commands.add_parser(name, parents=[common], help='against transformers')
    command.add_argument('--frames', type=int, nargs='+', default=[16, 1024])
    command.add_argument('--batch-size', type=int, default=8)
    command.set_defaults(run=temporal_encoder)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    warnings.filterwarnings('ignore')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    results = args.run(args)
    for name, result in results.items():
        low, high = result['quartiles']
        line = f'{name:58} ratio {result["ratio"]:.3g} (quartiles {low:.3g} to {high:.3g})'
        if 'pairs' in result:
            ours, theirs = 1e3 * result['ours_seconds'], 1e3 * result['theirs_seconds']
            line += f', {ours:.1f} ms against {theirs:.1f} ms, {result["pairs"]} pairs'
        print(line)
    if args.out is not None:
        machine = dict(
            processor=platform.processor() or platform.machine(),
            threads=torch.get_num_threads(),
            device=torch.cuda.get_device_name() if args.device != 'cpu' else 'cpu',
            amp=args.amp,
            torch=torch.__version__,
            mmaction_kd=mmaction_kd.__version__,
        )
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(dict(machine=machine, results=results), indent=2) + '\n')


if __name__ == '__main__':
    main()
