"""Write a recognizer as an ONNX file, and compare it with PyTorch on the videos of its test.

Usage: python tools/deployment/export.py CONFIG CHECKPOINT --out model.onnx [--pathway local]
       [--classes FILE] [--int8 ANN_FILE]

The model is any recognizer (of DTKD the student), one pathway of MBD, or all of MBD, with the
pathways' scores, weights and dominances as further outputs. Its input is uint8 frames, RGB,
(videos, views, T, H, W, 3), of MBD one for each pathway; a Recognizer2D takes
(videos, views T, H, W, 3). Numbers of videos and views are free, but for the views of the latter.
The file carries what tools/deployment/predict_onnx.py needs: sampling, sizes, names of classes.

--int8 also writes model.int8.onnx, whose activations are calibrated on the videos of ANN_FILE, a
list like that of the test.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)

warnings.filterwarnings('ignore', message='Fail to import')

from mmengine.config import Config, DictAction  # noqa: E402
from torch.utils.data import Dataset  # noqa: E402

from mmaction_kd.datasets.class_subsets import read_classes  # noqa: E402
from mmaction_kd.deployment import (  # noqa: E402
    Agreement,
    compare_onnx,
    deployed,
    deployed_steps,
    quantize,
    write_onnx,
)
from mmaction_kd.deployment.onnx_file import check_installed, clips_of  # noqa: E402
from mmaction_kd.models.submodels.tested_recognizer import load_tested_recognizer  # noqa: E402
from mmaction_kd.registry import DATASETS  # noqa: E402

TOLERANCE = 1e-4


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('--out', type=Path, required=True, help='an .onnx')
    parser.add_argument('--pathway', choices=('local', 'global'), help='of MBD, alone')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument(
        '--check', type=int, default=16, help='test videos to compare on, evenly spread; -1: all'
    )
    parser.add_argument('--int8', metavar='ANN_FILE', help='list of videos to calibrate on')
    parser.add_argument('--calibrate', type=int, default=32, help='how many of them')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, as a.b=1 c.d="[1,2]"',
    )
    args = parser.parse_args()
    if args.out.suffix != '.onnx':
        parser.error(f'--out must end in .onnx, got {args.out}')
    if (args.check < 1 and args.check != -1) or args.calibrate < 1:
        parser.error(
            f'--check must be 1 or more, or -1, and --calibrate 1 or more, got {args.check} and '
            f'{args.calibrate}'
        )
    return args


def changed(dataset: Mapping, settings: Mapping) -> dict:
    """Return the config of a data set with other settings, inside its wrappers."""
    if 'dataset' in dataset:
        return {**dataset, 'dataset': changed(dataset['dataset'], settings)}
    return {**dataset, **settings}


def some_of(dataset: Dataset, count: int) -> Iterator[dict]:
    """Return videos of a data set, evenly spread; -1 for all."""
    total = len(dataset)  # type: ignore[arg-type]
    count = total if count == -1 else min(count, total)
    return (dataset[index * total // count] for index in range(count))


def summary(name: str, path: Path, found: Agreement) -> str:
    """Format size, agreement and accuracy in one line."""
    return (
        f'{name}: {path.stat().st_size / 1e6:.2f} MB; of {found.videos} test videos '
        f'{found.same_top1} have the same top-1 as in PyTorch, largest difference of a score '
        f'{found.difference:.2g}; accuracy {found.right / found.videos:.3f}, PyTorch '
        f'{found.right_in_pytorch / found.videos:.3f}'
    )


def main() -> None:
    args = parse_args()
    try:
        check_installed()
        classes = read_classes(args.classes, 'export') if args.classes else ()
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        steps = deployed_steps(cfg.test_pipeline)
        if args.pathway:
            steps = {'clips': steps.get(f'{args.pathway}_pathway', {})}
        model = load_tested_recognizer(cfg, args.checkpoint, 'cpu', 'export')
        what = deployed(model, args.pathway)
        dataset, pipeline = cfg.test_dataloader.dataset, dict(pipeline=cfg.test_pipeline)
        test = DATASETS.build(changed(dataset, pipeline))
        calibration = args.int8 and DATASETS.build(
            changed(dataset, dict(pipeline, ann_file=args.int8))
        )
        first = test[0]
    except (ValueError, FileNotFoundError, ImportError) as error:
        sys.exit(f'{error}')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix('.part')
    try:
        keys = [f'{args.pathway}_pathway'] if args.pathway else list(steps)
        clips = dict(zip(steps, clips_of(first, keys).values(), strict=True))
        write_onnx(what, clips, part, steps, classes)
        found = compare_onnx(part, model, some_of(test, args.check), args.pathway)
        print(summary(str(args.out), part, found))
        if found.difference > TOLERANCE or found.same_top1 < found.videos:
            sys.exit(
                f'export: ONNX Runtime must give the scores of PyTorch within {TOLERANCE:g}, got a '
                f'difference of {found.difference:.2g}; {args.out} is not written.'
            )
        os.replace(part, args.out)
        if calibration:
            quantize(args.out, part, some_of(calibration, args.calibrate), args.pathway)
            found = compare_onnx(part, model, some_of(test, args.check), args.pathway)
            print(summary(str(args.out.with_suffix('.int8.onnx')), part, found))
            os.replace(part, args.out.with_suffix('.int8.onnx'))
    finally:
        part.unlink(missing_ok=True)


if __name__ == '__main__':
    main()
