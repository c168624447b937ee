"""A training step on one batch, for what is measured in steps."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import BaseModel

from mmaction_kd.registry import MODELS


def mbd_and_batch(args: argparse.Namespace) -> tuple[BaseModel, dict, list[ActionDataSample]]:
    """An MBD model, and a batch of one rendered video through its train pipeline."""
    cfg = Config.fromfile(args.config)
    pipeline = Compose(cfg.train_pipeline)
    video = np.random.default_rng(0).integers(0, 256, (160, 256, 320, 3), dtype=np.uint8)
    frames = dict(array=video, total_frames=len(video), start_index=0, modality='RGB', label=0)
    batch = pseudo_collate([pipeline(dict(frames)) for _ in range(args.batch_size)])
    model = MODELS.build(cfg.model).to(args.device).train()
    data = model.data_preprocessor(batch, training=True)
    return model, data['inputs'], data['data_samples']


def train_step(
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
