"""Draw what a model saw in one video, and how it came to its answer.

Usage: python tools/visualizations/vis_video.py CONFIG CHECKPOINT VIDEO [--out FILE.png]
       [--classes FILE] [--label NAME] [--target-layer LAYER] [--cfg-options ...]

One picture: the frames that the model saw (of the central view; the scores are of all views) with
Grad-CAM of its answer, and the best classes, the true one marked. Of an MBD model for each pathway,
with the attention of a VTN to each frame (of [CLS], mean over heads: bars for the last layer, which
forms the feature, markers for those before), dominances and fusion weights. Of a DTKD distiller the
student, the teacher that is responsible and, with --cfg-options model.predict_teachers=True, what
the teachers say.
"""

import argparse
import sys
import warnings
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)

warnings.filterwarnings('ignore', message='Fail to import')

import torch  # noqa: E402
from mmengine.config import Config, DictAction  # noqa: E402
from mmengine.dataset import pseudo_collate  # noqa: E402

from mmaction_kd.datasets.class_names import read_classes  # noqa: E402
from mmaction_kd.files.atomic_file import write_atomically  # noqa: E402
from mmaction_kd.models.submodels.tested_recognizer import load_tested_recognizer, read_video  # noqa: E402
from mmaction_kd.visualization import (  # noqa: E402
    explain_video,
    figure_pixels,
    filmstrip_figure,
    keep_origin,
    picture_name,
    png_bytes,
)
from mmaction_kd.visualization.explain_video import viewers  # noqa: E402


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
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, as a.b=1 c.d="[1,2]"',
    )
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
    """The index of the true class.

    Args:
        parser: to complain to.
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
        first = viewers(model)[0].name
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
