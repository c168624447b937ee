"""Test a checkpoint: MMAction2's arguments, on this package's configs and on its own.

--show-dir and --show draw every n-th video (--interval) by DistillVisualizationHook; MMAction2's
hook draws neither several views nor several pathways. --classes names the classes in the pictures,
--grad-cam adds Grad-CAM of the predicted class.

Usage: python tools/test.py CONFIG CHECKPOINT [--dump scores.pkl] [--work-dir DIR] ...
       python tools/test.py CONFIG CHECKPOINT --show-dir DIR [--interval N] [--classes FILE]
On several devices: tools/dist_test.sh CONFIG CHECKPOINT DEVICES [the same arguments].
"""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.datasets.annotation_file import check_config_annotations
from mmaction_kd.engine.hooks.distill_visualization_hook import has_display
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.visualization.shown_frames import keep_origin


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a checkpoint.')
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('--work-dir', help='where the metrics go')
    parser.add_argument('--dump', help='write all predictions to this .pkl file')
    add_cfg_options(parser)
    parser.add_argument('--show-dir', help='draw videos into this folder')
    parser.add_argument('--show', action='store_true', help='draw videos in windows')
    parser.add_argument(
        '--interval', type=int, default=1, help='from one drawn video to the next; default 1: all'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='how long a window stays, in seconds'
    )
    parser.add_argument('--classes', help='names in pictures: a file with one class a line')
    parser.add_argument('--grad-cam', action='store_true', help='draw Grad-CAM, too; takes longer')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.dump is not None and not args.dump.endswith(('.pkl', '.pickle')):
        parser.error(f'--dump must end in .pkl or .pickle, got {args.dump}')
    if args.interval < 1:
        parser.error(f'--interval must be at least 1, got {args.interval}')
    if args.show and not has_display():
        parser.error('--show needs a display, which is not there: draw into files with --show-dir')
    if args.classes is not None and not Path(args.classes).is_file():
        parser.error(f'--classes must be a file, there is no {args.classes}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Apply the command line to the config; the command line takes precedence."""
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.merge_from_dict(args.cfg_options)
    if args.dump is not None:
        metrics = cfg.test_evaluator
        metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
        cfg.test_evaluator = [*metrics, dict(type='DumpResults', out_file_path=args.dump)]
    if args.show or args.show_dir is not None:
        keep_origin(cfg.test_dataloader)
        hook = dict(
            type='mmaction_kd.DistillVisualizationHook',
            interval=args.interval,
            out_dir=args.show_dir,
            show=args.show,
            wait_time=args.wait_time,
            grad_cam=args.grad_cam,
            classes=args.classes,
        )
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    cfg.setdefault('work_dir', str(Path('work_dirs', Path(args.config).stem)))
    return cfg


@contextlib.contextmanager
def atomic_dump(cfg: Config, dump: str | None) -> Iterator[None]:
    """Make DumpResults write atomically: its file is replaced when the test is done."""
    if dump is None:
        yield
        return
    part = Path(dump).with_name(f'{Path(dump).stem}.part{Path(dump).suffix}')
    cfg.test_evaluator[-1].out_file_path = str(part)
    try:
        yield
        if is_main_process():
            os.replace(part, dump)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def main() -> None:
    args = parse_args()
    cfg = merge_args(Config.fromfile(args.config), args)
    check_config_annotations(cfg, 'test_dataloader')
    with atomic_dump(cfg, args.dump):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.test()


if __name__ == '__main__':
    main()
