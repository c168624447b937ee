"""Train a recognizer: MMAction2's arguments, on this package's configs and on its own.

Usage: python tools/train.py CONFIG [--work-dir DIR] [--resume [CHECKPOINT]] [--amp] ...
On several devices: tools/dist_train.sh CONFIG DEVICES [the same arguments].
"""

import argparse
import contextlib
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.datasets.annotation_file import check_config_annotations
from mmaction_kd.host_fixes.last_checkpoint import (
    find_last_checkpoint,
    forget_training_end,
    note_training_end,
)
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.process_lock import only_process

RANKS = dict(pytorch='RANK', slurm='SLURM_PROCID', mpi='OMPI_COMM_WORLD_RANK')
"""Environment variables in which launchers pass the rank."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a recognizer.')
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('--work-dir', help='where logs and checkpoints go')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or without a path from the latest in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='no evaluation while training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='another seed for each process'
    )
    parser.add_argument('--deterministic', action='store_true', help='only deterministic kernels')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.seed is not None and not 0 <= args.seed < 2**32:
        parser.error(f'--seed must be in [0, 2**32), got {args.seed}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Apply the command line to the config; the command line takes precedence."""
    cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise SystemExit(
                'train: --auto-scale-lr needs auto_scale_lr.base_batch_size, the batch that the '
                f'learning rate is meant for, got none in {args.config}; set it with --cfg-options.'
            )
        cfg.auto_scale_lr.enable = True
    cfg.randomness = dict(dict(seed=None), **cfg.get('randomness', {}))
    if args.seed is not None:
        cfg.randomness.seed = args.seed
    if args.diff_rank_seed:
        cfg.randomness.diff_rank_seed = True
    if args.deterministic:
        cfg.randomness.deterministic = True
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs', Path(args.config).stem)))
    if args.resume == 'auto' and find_last_checkpoint(cfg.work_dir):
        cfg.resume, cfg.load_from = True, None  # MMEngine's way to name the latest
    elif args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, args.resume
    return cfg


def alone_in(work_dir: Path, launcher: str) -> contextlib.AbstractContextManager[None]:
    """Lock the folder of checkpoints on rank 0, so that no other training writes there."""
    if int(os.environ.get(RANKS.get(launcher, ''), 0)):
        return contextlib.nullcontext()
    return only_process(work_dir / '.lock', 'train', work_dir, 'take another --work-dir')


def main() -> None:
    args = parse_args()
    cfg = merge_args(Config.fromfile(args.config), args)
    check_config_annotations(cfg, 'train_dataloader', 'val_dataloader')
    with alone_in(Path(cfg.work_dir), args.launcher):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        if is_main_process():
            forget_training_end(runner.work_dir)
        runner.train()
        if is_main_process():
            note_training_end(runner.work_dir)


if __name__ == '__main__':
    main()
