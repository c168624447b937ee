"""Name the action in videos.

Usage: python tools/predict.py CONFIG CHECKPOINT VIDEO [VIDEO ...] [--classes FILE] [--backend auto]

A VIDEO is a file, a folder (each file in it, but for hidden ones) or a quoted pattern such as
'clips/**/*.mp4'. Prints the five best classes; of an MBD model also the scores of each pathway,
and its weight. Videos are read as in the config; with --backend auto by decord, PyAV or OpenCV,
the first that can. A video that is missing or can't be read is reported in a line, the others are
answered, and the exit code is 1.
"""

import argparse
import glob
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)

warnings.filterwarnings('ignore', message='Fail to import')

import torch  # noqa: E402
from mmengine.dataset import pseudo_collate  # noqa: E402
from torch import nn  # noqa: E402

from mmaction_kd.datasets.class_subsets import read_classes  # noqa: E402
from mmaction_kd.datasets.video_backends import AUTO, with_auto  # noqa: E402
from mmaction_kd.models.submodels.tested_recognizer import load_tested_recognizer, read_video  # noqa: E402


def best(scores: torch.Tensor, classes: Sequence[str], count: int) -> str:
    """The best classes in words.

    Args:
        scores: (K,).
        classes: names, or empty for numbers.
        count: how many.

    Returns:
        'walk 0.81, run 0.10, ...'.
    """
    top = scores.topk(min(count, len(scores)))
    return ', '.join(
        f'{classes[i] if classes else i} {score:.2f}'
        for score, i in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    )


def print_answer(model: nn.Module, video: Path, data: dict, classes: Sequence[str]) -> None:
    """Print the model's scores of a video.

    Args:
        model: the recognizer.
        video: its path.
        data: what was read of it.
        classes: names, or none for numbers.

    Raises:
        ValueError: there is not a name for each class.
    """
    with torch.no_grad():
        [sample] = model.test_step(pseudo_collate([data]))
    if classes and len(classes) != len(sample.pred_score):
        raise ValueError(
            f'predict: --classes must name the {len(sample.pred_score)} classes of the model, got '
            f'{len(classes)} lines; one name a line, in the order of the labels.'
        )
    print(f'{video}\n  {best(sample.pred_score, classes, 5)}')
    for name in ('local', 'global'):
        if f'{name}_score' in sample:
            weight = sample.get(f'{name}_weight').item()
            words = best(sample.get(f'{name}_score'), classes, 2)
            print(f'    {name:6} (weight {weight:.2f}): {words}')


def video_files(given: str) -> list[Path]:
    """The files that an argument means.

    Args:
        given: path of a file or of a folder, or a pattern.

    Returns:
        Sorted; the path itself where nothing is there.
    """
    path = Path(given)
    if path.is_dir():
        pattern = f'{glob.escape(given)}/*'  # without hidden files
    elif path.exists():
        return [path]
    else:
        pattern = given
    return sorted(p for p in map(Path, glob.glob(pattern, recursive=True)) if p.is_file()) or [path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('videos', nargs='+', metavar='VIDEO', help='file, folder or pattern')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument('--backend', choices=[AUTO], help='take whichever reader can')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    all_read = True
    try:
        classes = read_classes(args.classes, 'predict') if args.classes else ()
        model = load_tested_recognizer(args.config, args.checkpoint, args.device, 'predict')
        pipeline = model.cfg.test_pipeline
        if args.backend == AUTO:
            pipeline = with_auto(pipeline)
        for video in dict.fromkeys(file for given in args.videos for file in video_files(given)):
            try:
                data = read_video(pipeline, video, 'predict')
            except ValueError as error:
                print(error, file=sys.stderr)
                all_read = False
            else:
                print_answer(model, video, data, classes)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'{error}')
    if not all_read:
        sys.exit(1)


if __name__ == '__main__':
    main()
