"""See what a training did: one HTML page, after the fact.

Usage: python tools/analysis_tools/run_report.py RUN_DIR [--baseline RUN_DIR] [--out report.html]
           [--classes classes.txt]

RUN_DIR is the work dir of a training, of this package or of stock MMAction2. Losses and accuracies
come from MMEngine's log. What needs single samples, as dominance by class, fusion weights,
confusions and the gain over the baseline, comes from what mmaction_kd.DistillReportHook wrote down;
it is on in every config of this package, and can be listed in the custom_hooks of any other.
"""

import argparse
import sys
import time
from pathlib import Path

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.datasets.class_subsets import read_classes
from mmaction_kd.engine.hooks.distill_report_hook import PAGE_FILE
from mmaction_kd.report.page import run_page
from mmaction_kd.report.run import load_run
from mmaction_kd.utils.atomic_file import write_atomically


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path, metavar='RUN_DIR', help='work dir of a training')
    parser.add_argument('--baseline', type=Path, metavar='RUN_DIR', help='a run to compare with')
    parser.add_argument('--out', type=Path, help=f'default: RUN_DIR/{PAGE_FILE}')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        classes = read_classes(args.classes, 'run_report') if args.classes else ()
        run = load_run(args.run, classes)
        baseline = load_run(args.baseline) if args.baseline else None
        if classes and run.num_classes != len(classes):
            raise ValueError(
                f'Run report: --classes must name the {run.num_classes} classes of the run, got '
                f'{len(classes)} lines in {args.classes}; one name a line, in order of the labels.'
            )
        page = run_page(run, baseline, written=time.strftime('%Y-%m-%d %H:%M:%S'))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(str(error))
    out = args.out or args.run / PAGE_FILE
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page)
    print(f'{out}: {len(page.encode()) / 1e6:.2f} MB')


if __name__ == '__main__':
    main()
