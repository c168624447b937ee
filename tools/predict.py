"""Name the action in videos.

Usage: python tools/predict.py CONFIG CHECKPOINT VIDEO [VIDEO ...] [--classes FILE]

Prints the five best classes; of an MBD model also what each pathway says alone, and its weight.
"""

import argparse
import sys
import warnings
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: mends the host)

warnings.filterwarnings('ignore', message='Fail to import')

import torch  # noqa: E402
from mmaction.apis import inference_recognizer  # noqa: E402

from mmaction_kd.tested_recognizer import load_tested_recognizer  # noqa: E402


def best(scores: torch.Tensor, classes: list, count: int) -> str:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('videos', nargs='+', help='paths of videos')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    classes = args.classes.read_text().splitlines() if args.classes else []
    for video in args.videos:
        if not Path(video).is_file():
            parser.error(f'there is no video {video}')
    try:
        model = load_tested_recognizer(args.config, args.checkpoint, args.device, 'predict')
    except ValueError as error:
        sys.exit(f'{error}')
    for video in args.videos:
        sample = inference_recognizer(model, video)
        print(f'{video}\n  {best(sample.pred_score, classes, 5)}')
        for name in ('local', 'global'):
            if f'{name}_score' in sample:
                weight = sample.get(f'{name}_weight').item()
                words = best(sample.get(f'{name}_score'), classes, 2)
                print(f'    {name:6} (weight {weight:.2f}): {words}')


if __name__ == '__main__':
    main()
