"""Parameters and multiply-accumulates of a recognizer, whatever its inputs are.

    python tools/analysis_tools/get_flops.py CONFIG [--cfg-options a.b=1 ...]

For one view of one video, of the shape that the config's own validation pipeline gives it (without
one, its training pipeline); for an MBD model one line a pathway. Counted are convolutions and
matrix products, attention included (torch.utils.flop_counter), on the meta device: nothing is
computed. 1 GMAC = 2 GFLOP.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from torch.utils.flop_counter import FlopCounterMode

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.registry import MODELS
from mmaction_kd.utils.command_line import add_cfg_options


def one_view(pipeline: list) -> dict[str, torch.Tensor]:
    """Run a pipeline on one video.

    Args:
        pipeline: of a config, with one clip and one crop.

    Returns:
        For each pathway, or '' for a single model, the input on the meta device, (1, V, C, ...).
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, 'blank.mp4'))
        writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 25, (340, 256))
        for _ in range(300):
            writer.write(np.zeros((256, 340, 3), np.uint8))
        writer.release()
        packed = Compose(pipeline)(dict(filename=path, label=0, start_index=0, modality='RGB'))
    inputs = packed['inputs'] if isinstance(packed['inputs'], dict) else {'': packed['inputs']}
    return {name: x[None].float().to('meta') for name, x in inputs.items()}


def count(model: BaseModel, video: torch.Tensor) -> tuple[float, float]:
    """Count one forward pass from frames to logits.

    Args:
        model: an MMAction2 recognizer on the meta device.
        video: (1, V, C, T, H, W).

    Returns:
        Millions of parameters, and GMACs.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(video, mode='tensor', stage='head')
    return sum(p.numel() for p in model.parameters()) / 1e6, counter.get_total_flops() / 2e9


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config file')
    add_cfg_options(parser)
    args = parser.parse_args()
    warnings.filterwarnings('ignore')
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    loader = cfg.get('val_dataloader') or cfg.train_dataloader
    inputs = one_view(cfg.get('val_pipeline') or loader.dataset.pipeline)
    model = MODELS.build(cfg.model).to('meta')
    for name, video in inputs.items():
        part = model.get_submodule(name) if name else model
        millions, gmacs = count(part, video)
        shape = ' x '.join(str(n) for n in video.shape[1:])
        print(f'{name or cfg.model.type:16} {shape:26} {millions:8.2f} M  {gmacs:9.2f} GMACs')


if __name__ == '__main__':
    main()
