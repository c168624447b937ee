"""A training step of DTKD with stored teachers, with its loader, against two others.

Against the student alone, on the same loader without the wrapper, and against both teachers live on
every sample. Student and teachers are the same model. Counted in forward passes of a sample, a
backward pass as two: 3 against 3, and 3 against 5, so 0.6 is the limit of the second, which the
loader's time, equal on both sides, moves towards 1.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel

from benchmarks.side_by_side import compare
from mmaction_kd.engine.record_teachers import record_store
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers import StoredTeacherViews
from mmaction_kd.stored_teachers.store_header import StoreHeader, describe_dataset
from mmaction_kd.stored_teachers.view_replay import build_dataset

STUDENT_CONFIG = 'configs/dtkd/slowfast_8x8/slowfast_r50_8x8_ucf101_split1.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--config', default=STUDENT_CONFIG, help='where the student is')
    parser.add_argument('--video', type=Path, help='path of one; default: one is rendered')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--frames', type=int, default=32, help='of a clip')
    parser.add_argument('--size', type=int, default=112, help='of a frame, pixels')
    parser.add_argument('--views', type=int, default=2, help='that are stored of a video')


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(args, Path(folder))


def measure(args: argparse.Namespace, folder: Path) -> dict[str, dict]:
    """Measure with a folder for the video and the store."""
    cfg = Config.fromfile(args.config)
    data_cfg = dataset_config(args, folder, cfg.model.cls_head.num_classes)
    plain = build_dataset(data_cfg, 'benchmark')
    live_cfg = distiller_config(cfg.model)
    live = MODELS.build(live_cfg)
    live.load_teachers()
    header = StoreHeader(
        num_classes=cfg.model.cls_head.num_classes,
        views=args.views,
        seed=0,
        teachers=live.teacher_identities(),
        shards=(0, len(plain)),
        batch_size=args.batch_size,
        **describe_dataset(plain, data_cfg),
    )
    live.to(args.device).eval()
    record_store(live, plain, folder / 'store', header)
    stored = MODELS.build({**live_cfg, 'stored_teachers': str(folder / 'store')})
    views = StoredTeacherViews(data_cfg, folder / 'store')
    ours = loader_step(stored, views, args)
    others = {
        'student alone': loader_step(MODELS.build(copy.deepcopy(cfg.model)), plain, args),
        'live teachers': loader_step(live, plain, args),
    }
    what = f'stored teachers, batch {args.batch_size}'
    return {
        f'{what}: against {name}': compare(ours, theirs, args.pairs, device=args.device)
        for name, theirs in others.items()
    }


def loader_step(model: BaseModel, dataset: Any, args: argparse.Namespace) -> Callable[[], None]:
    """Load and preprocess a batch, and a step of SGD on it."""
    model.to(args.device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)

    def step() -> None:
        batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
        data = model.data_preprocessor(batch, training=True)
        with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
            losses = model(**data, mode='loss')
        loss, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def distiller_config(student: Config) -> dict:
    """A student, and two teachers like it that both see every sample."""
    num_classes = student.cls_head.num_classes
    subsets = {name: list(range(i, num_classes, 2)) for i, name in enumerate(('dynamic', 'static'))}
    teachers = {name: copy.deepcopy(student) for name in subsets}
    for name, teacher in teachers.items():
        teacher.cls_head.num_classes = len(subsets[name])
    return dict(
        type='mmaction_kd.DualTeacherDistiller',
        student=copy.deepcopy(student),
        teachers=teachers,
        distill_loss=dict(type='mmaction_kd.SubsetDistillLoss', subsets=subsets),
    )


def dataset_config(args: argparse.Namespace, folder: Path, num_classes: int) -> dict:
    """A batch of one video, with a usual train pipeline."""
    video = args.video.resolve() if args.video else render(folder / 'video.mp4')
    lines = [f'{video.name} {index % num_classes}' for index in range(args.batch_size)]
    (folder / 'train.txt').write_text('\n'.join(lines))
    pipeline = [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=args.frames, frame_interval=2, num_clips=1),
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, args.size * 8 // 7)),
        dict(type='RandomCrop', size=args.size),
        dict(type='Flip', flip_ratio=0.5),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs'),
    ]
    return dict(
        type='VideoDataset',
        ann_file=str(folder / 'train.txt'),
        data_prefix=dict(video=str(video.parent)),
        pipeline=pipeline,
        _scope_='mmaction',
    )


def render(path: Path, frames: int = 160) -> Path:
    """A video of 320x240 of drifting noise."""
    noise = np.random.default_rng(0).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    ground = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 25, (320, 240))
    for index in range(frames):
        writer.write(np.roll(ground, 2 * index, 1))
    writer.release()
    return path
