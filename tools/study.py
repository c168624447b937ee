"""Run a study: several configs on several folds with several seeds, compared in one report.

Usage: python tools/study.py STUDY.py [--work-dir DIR] [--devices N] [--jobs J] [--fork]
           [--cfg-options seeds="[0,1]" data=path ...] [--arms A B] [--dry-run | --report-only]

Trains and tests what is missing, each run in its own folder through tools/dist_train.sh, and writes
DIR/report/ with a table (Markdown, CSV) and figures. Killed and started again, it resumes. A run
that fails does not stop the others. What stands in a study file: mmaction_kd/study/plan.py.
"""

import argparse
import importlib
import os
import signal
import sys
import time
from pathlib import Path

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.study.launch import Launcher, print_failed
from mmaction_kd.study.plan import Study
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.process_lock import only_process
from mmaction_kd.utils.stopped_tool import plain_ctrl_c

try:
    from mmaction_kd.study.report import write_report
except ModuleNotFoundError as error:
    sys.exit(
        f"study: needs {error.name}, which is not installed; pip install 'mmaction_kd[study]'."
    )

TOOLS = Path(__file__).parent


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('study', help='path of a study file, such as configs/mbd/studies/*.py')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/study_<method>_<study>')
    parser.add_argument('--devices', type=int, default=1, help='of a run: GPUs, or processes')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time')
    parser.add_argument(
        '--fork',
        action='store_true',
        help='fork the runs from this process, so that each starts in a moment; one device each',
    )
    parser.add_argument('--arms', nargs='+', help='only these, and what they need')
    parser.add_argument('--dry-run', action='store_true', help='print what is missing, run nothing')
    parser.add_argument('--report-only', action='store_true', help='report what is there')
    add_cfg_options(parser, 'settings that override the study file, as seeds="[0,1]" data=path')
    args = parser.parse_args()
    if args.work_dir is None:
        path = Path(args.study).resolve()  # .../<method>/studies/<study>.py
        args.work_dir = Path('work_dirs', f'study_{path.parents[1].name}_{path.stem}')
    return args


def gpus() -> tuple[str, ...]:
    """Return the names of the GPUs that may be used."""
    named = os.environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return tuple(name for name in named.split(',') if name)
    import torch

    return tuple(str(index) for index in range(torch.cuda.device_count()))


def import_host() -> None:
    """What trainings and tests import, before they are forked."""
    for name in ('apis', 'datasets', 'engine', 'evaluation', 'models', 'structures'):
        importlib.import_module(f'mmaction.{name}')
    importlib.import_module('mmaction_kd.models')
    importlib.import_module('mmpretrain.models')


def log(line: str) -> None:
    print(f'{time.strftime("%H:%M:%S")} {line}', flush=True)


def main() -> None:
    args = parse_args()
    study = Study(args.study, args.work_dir, args.cfg_options)
    runs = study.wanted(args.arms)
    if args.dry_run:
        for run in runs:
            print(f'{"done   " if run.result() else "missing"} {run.name}')
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = {}
    if args.fork:
        import_host()
    if not args.report_only:
        launcher = Launcher(
            TOOLS, study.path.parent, args.devices, args.jobs, gpus(), log, args.fork
        )
        work = args.work_dir
        with only_process(work / '.lock', 'study', work, 'take another --work-dir'):
            failed = launcher.do(runs)
    report = write_report(study, failed)
    print(f'{report.read_text()}\nreport: {report}')
    print_failed(failed)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    try:
        with plain_ctrl_c('study'):
            main()
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
