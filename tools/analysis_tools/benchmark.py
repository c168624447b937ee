"""What parts of this package cost, each as a ratio against an alternative in the same run.

    python tools/analysis_tools/benchmark.py MEASUREMENT [options]

``--help`` lists the measurements, ``MEASUREMENT --help`` what each compares. Both sides run in
turn, pair by pair and each first in every other pair, after a warm-up. Printed (and written, with
--out FILE.json): the ratio of the medians, the quartiles of the pairs' ratios, both medians in
seconds. Other work on the machine moves both sides; see the quartiles.
"""

from __future__ import annotations

import argparse
import json
import platform
import warnings
from pathlib import Path

import torch
from benchmarks import MEASUREMENTS
from mmengine.registry import init_default_scope

import mmaction_kd
from mmaction_kd.utils.atomic_file import write_atomically


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
    commands = parser.add_subparsers(dest='measurement', required=True)
    for name, measurement in MEASUREMENTS.items():
        command = commands.add_parser(
            name,
            parents=[common],
            help=measurement.__doc__.splitlines()[0],
            description=measurement.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        measurement.add_arguments(command)
        command.set_defaults(run=measurement.run)
    args = parser.parse_args()
    if args.pairs < 1 or (args.threads is not None and args.threads < 1):
        parser.error(f'--pairs and --threads must be 1 or more, got {args.pairs}, {args.threads}')
    return args


def main() -> None:
    args = parse_args()
    warnings.filterwarnings('ignore')
    init_default_scope('mmaction')
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    results = args.run(args)
    for name, result in results.items():
        print(line_of(name, result))
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
        text = json.dumps(dict(machine=machine, results=results), indent=2)
        write_atomically(args.out, f'{text}\n')


def line_of(name: str, result: dict) -> str:
    """One result as it is printed: its ratio, or what else was measured."""
    if 'ratio' not in result:
        return f'{name:58} ' + ', '.join(f'{key} {value:.4g}' for key, value in result.items())
    low, high = result['quartiles']
    line = f'{name:58} ratio {result["ratio"]:.3g} (quartiles {low:.3g} to {high:.3g})'
    if 'pairs' in result:
        ours, theirs = 1e3 * result['ours_seconds'], 1e3 * result['theirs_seconds']
        line += f', {ours:.1f} ms against {theirs:.1f} ms, {result["pairs"]} pairs'
    return line


if __name__ == '__main__':
    main()
