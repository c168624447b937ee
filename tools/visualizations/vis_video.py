"""Draw the frames that a model saw in one video, and the scores it gave.

Usage: python tools/visualizations/vis_video.py CONFIG CHECKPOINT VIDEO [--out FILE.png]
       [--classes FILE] [--label NAME] [--target-layer LAYER] [--cfg-options ...]

The picture has the frames of the central view with Grad-CAM of the predicted class, and the top
classes over all views, the true one marked.

MBD: frames and scores of each pathway, the attention of a VTN's [CLS] to each frame (mean over
heads; bars: last layer, markers: earlier ones), dominances and fusion weights.
DTKD: those of the student, the responsible teacher and, with --cfg-options
model.predict_teachers=True, the teachers' scores.
"""

import argparse
import sys
import warnings
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: fixes it)
from mmaction_kd.utils.command_line import add_cfg_options

warnings.filterwarnings('ignore', message='Fail to import')

import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.dataset import pseudo_collate  # noqa: E402

from mmaction_kd.datasets.class_subsets import read_classes  # noqa: E402
from mmaction_kd.models.submodels.tested_recognizer import load_tested_recognizer, read_video  # noqa: E402
from mmaction_kd.utils.atomic_file import write_atomically  # noqa: E402
from mmaction_kd.visualization import (  # noqa: E402
    explain_video,
    figure_pixels,
    filmstrip_figure,
    keep_origin,
    picture_name,
    png_bytes,
)
from mmaction_kd.visualization.explain_video import parts_of  # noqa: E402


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('video', type=Path, help='path of a video')
    parser.add_argument('--out', type=Path, help='a .png; default: named after the video, here')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument('--label', help='true class: its name, or without --classes its number')
    parser.add_argument(
        '--target-layer',
        nargs='+',
        default=[],
        metavar='LAYER',
        help='for Grad-CAM, such as backbone.layer4, of an MBD model that of the local pathway, or '
        'local=... global=...; default: the last one with feature maps',
    )
    parser.add_argument('--view', type=int, help='number of the view to show, from 0')
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    add_cfg_options(parser)
    args = parser.parse_args()
    if not args.video.is_file():
        parser.error(f'there is no video {args.video}')
    if args.out is not None and args.out.suffix.lower() != '.png':
        parser.error(f'--out must end in .png, got {args.out}')
    try:
        args.names = read_classes(args.classes, 'vis_video') if args.classes else None
    except (ValueError, FileNotFoundError) as error:
        parser.error(f'{error}')
    args.index = class_index(parser, args.label, args.names)
    return args


def class_index(
    parser: argparse.ArgumentParser, label: str | None, names: tuple[str, ...] | None
) -> int:
    """Return the index of the true class.

    Args:
        parser: reports errors.
        label: name or number, or None.
        names: of the classes, or None.

    Returns:
        The index; −1 where no class is given.
    """
    if label is None:
        return -1
    if names is not None and label in names:
        return names.index(label)
    if label.isdecimal() and (names is None or int(label) < len(names)):
        return int(label)
    choices = 'a number, or give --classes' if names is None else f'one of {list(names)}'
    parser.error(f'--label must be {choices}, got {label}')


def main() -> None:
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    try:
        model = load_tested_recognizer(cfg, args.checkpoint, args.device, 'vis_video')
        first = next(iter(parts_of(model)))
        layers = dict(f'{first}={text}'.split('=')[-2:] for text in args.target_layer)
        keep_origin(cfg.test_pipeline)
        data = read_video(cfg.test_pipeline, args.video, 'vis_video', args.index)
        with torch.no_grad():
            [sample] = model.test_step(pseudo_collate([data]))
        picture = explain_video(
            model,
            data['inputs'],
            sample,
            str(args.video),
            args.names,
            target_layers=layers,
            view=args.view,
        )
    except ValueError as error:
        sys.exit(f'{error}')
    out = args.out or Path(f'{picture_name(str(args.video))}.png')
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, png_bytes(figure_pixels(filmstrip_figure(picture))))
    print(f'{out}: {picture.classes[picture.answer]} {sample.pred_score.max():.2f}')


if __name__ == '__main__':
    main()
