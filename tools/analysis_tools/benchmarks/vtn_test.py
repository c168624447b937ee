"""A test of VTN, all clips and crops of a video, against each clip through the ViT on its own.

Frame indices are those that the config's test pipeline samples, once as they are and once moved to
one grid by SnapClips; frames and crops are made up. ``find frames`` is what finding the equal
frames takes of that. Full size is minutes a run on a CPU: --size, --crops, --arch and --pairs.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose

from benchmarks.side_by_side import compare
from benchmarks.vtn_step import vtn
from mmaction_kd.datasets.transforms import SnapClips
from mmaction_kd.models.backbones.distinct_frames import distinct_frames

MBD_CONFIG = 'configs/mbd/r2plus1d_vtn_k400.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this measurement."""
    parser.add_argument('--config', default=MBD_CONFIG, help='where the test pipeline is')
    parser.add_argument('--video-frames', type=int, default=300, help='of the video')
    parser.add_argument('--crops', type=int, default=3)
    parser.add_argument('--size', type=int, default=224, help='of a crop, pixels')
    parser.add_argument('--arch', default='b', help="of mmpretrain's ViT, such as 's' or 'b'")


def run(args: argparse.Namespace) -> dict[str, dict]:
    """Measure; see the module docstring."""
    sampled = sampled_clips(args.config, args.video_frames)
    model = vtn(args, frames_at_once=80).eval()
    video = torch.randn(args.video_frames, args.crops, 3, args.size, args.size, device=args.device)
    results = {}
    for kind, clip_inds in (('sampled', sampled), ('snapped', SnapClips()(dict(sampled)))):
        inds = clip_inds['frame_inds'].reshape(-1, clip_inds['clip_len'])
        clips = video[torch.from_numpy(inds)]  # (clips, T, crops, C, H, W)
        views = clips.permute(2, 0, 3, 1, 4, 5).flatten(0, 1)  # (crops clips, C, T, H, W)

        @torch.no_grad()
        def shared(views=views) -> torch.Tensor:
            with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
                return model(views)

        @torch.no_grad()
        def alone(views=views) -> torch.Tensor:
            with torch.autocast(args.device.split(':')[0], torch.bfloat16, enabled=args.amp):
                return torch.cat([model(view[None]) for view in views])

        def find(views=views) -> None:
            distinct_frames(views.transpose(1, 2).flatten(0, 1))

        title = f'{len(inds)} clips x {args.crops} crops, {kind}'
        few = f'{len(np.unique(inds))} of {inds.size} frames'
        results[f'VTN test, {title}: {few}'] = compare(shared, alone, args.pairs, args.device)
        results[f'find frames, {title}'] = compare(find, alone, 1, args.device)
    return results


def sampled_clips(config: str, video_frames: int) -> dict:
    """What the global pathway's sampler in a test pipeline leaves.

    Args:
        config: its path.
        video_frames: frames of the video.

    Returns:
        ``frame_inds`` and the keys that go with it.
    """
    (step,) = Config.fromfile(config).test_dataloader.dataset.pipeline
    samplers = [s for s in step.pathways.global_pathway if s.type.endswith('SampleFrames')]
    return Compose(samplers)(dict(total_frames=video_frames, start_index=0))
