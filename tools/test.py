"""Test a checkpoint: MMAction2's arguments, on this package's configs and on its own.

Left out are --show, --show-dir, --interval and --wait-time: MMAction2's VisualizationHook draws
neither several views nor several pathways.

Usage: python tools/test.py CONFIG CHECKPOINT [--dump scores.pkl] [--work-dir DIR] ...
On several devices: tools/dist_test.sh CONFIG CHECKPOINT DEVICES [the same arguments].
"""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmaction_kd  # noqa: F401  (mends the host)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a checkpoint.')
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('--work-dir', help='where the metrics go')
    parser.add_argument('--dump', help='write all predictions to this .pkl file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, as a.b=1 c.d="[1,2]"',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.dump is not None and not args.dump.endswith(('.pkl', '.pickle')):
        parser.error(f'--dump must end in .pkl or .pickle, got {args.dump}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Apply the command line to the config; where both speak, the command line wins."""
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.merge_from_dict(args.cfg_options)
    if args.dump is not None:
        metrics = cfg.test_evaluator
        metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        cfg.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=args.dump)]
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs', Path(args.config).stem)))
    return cfg


def main() -> None:
    args = parse_args()
    cfg = merge_args(Config.fromfile(args.config), args)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.test()


if __name__ == '__main__':
    main()
