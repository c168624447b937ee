"""Try every recognizer of MMAction2's zoo as a pathway of MBD, and as student and teacher of DTKD.

    python tools/analysis_tools/zoo_matrix.py --page configs/zoo.md
    python tools/analysis_tools/zoo_matrix.py --only tsn swin

A row is a folder of the zoo, in the order of the alphabet, by one of its configs with what the row
says in addition; or a backbone of another package. It is the local pathway beside the next row as
the global one, and the student of the next row as both teachers, so that each row has each role
once, in a config of ten lines at most. Each model is built with checkpoints (random weights,
written before), without network; does a training step on two videos, which must give finite
gradients; and predicts them from two views each, whose scores must sum to one. Clips are short and
small, all else is as in the zoo. Exits with 1 if a row without a stated reason fails.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import math
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from unittest import mock

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)

warnings.filterwarnings('ignore', message='Fail to import')

import mmaction  # noqa: E402
import torch  # noqa: E402
from mmaction.structures import ActionDataSample  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from mmaction_kd.models.submodels.recognizer_config import build_recognizer  # noqa: E402
from mmaction_kd.registry import MODELS  # noqa: E402
from mmaction_kd.utils.atomic_file import write_atomically  # noqa: E402

ZOO = Path(mmaction.__file__).parent / '.mim/configs/recognition'
SUBSETS = dict(static=[0, 1], dynamic=[2, 3])
CLASSES = 4
VIDEOS, TEST_VIEWS = 2, 2
MOST_LINES = 10
ROLES = ('local pathway', 'global pathway', 'student', 'teachers')
START, END = '<!-- zoo_matrix.py writes from here -->', '<!-- to here -->'


@dataclasses.dataclass(frozen=True)
class Row:
    """A recognizer of the matrix.

    Args:
        config: file in the row's folder, without .py.
        clip: shape of a view, (C, T, H, W), or (T, C, H, W) for a Recognizer2D.
        more: what its config has in addition to the classes.
        head: options of ``cls_head``.
        why_not: it can't work, unless the package is there.
        package: that it needs.
    """

    config: str
    clip: tuple[int, ...]
    more: str = ''
    head: str = ''
    why_not: str = ''
    package: str = ''

    @property
    def is_able(self) -> bool:
        """Whether it is to be tried."""
        parent, _, _ = self.package.partition('.')
        if not parent:
            return not self.why_not
        there = importlib.util.find_spec(parent) and importlib.util.find_spec(self.package)
        return there is not None


def clip_3d(frames: int, size: int = 32) -> tuple[int, ...]:
    """(C, T, H, W)."""
    return 3, frames, size, size


def clip_2d(frames: int, size: int = 32) -> tuple[int, ...]:
    """(T, C, H, W)."""
    return frames, 3, size, size


TSN = 'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb'
ROWS = {
    'c2d': Row('c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb', clip_3d(8)),
    'c3d': Row(
        'c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb',
        clip_3d(16),
        'backbone=dict(out_dim=2048)',
    ),
    'csn': Row('ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-58e_kinetics400-rgb', clip_3d(8)),
    'i3d': Row('i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb', clip_3d(8)),
    'mvit': Row(
        'mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb',
        clip_3d(4, 64),
        'data_preprocessor=dict(blending=None)',
    ),
    'omnisource': Row(
        'slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb',
        clip_3d(8),
        why_not='it is trained on images and videos in turn, with a head for each',
    ),
    'r2plus1d': Row('r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-rgb', clip_3d(8)),
    'slowfast': Row('slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb', clip_3d(32)),
    'slowonly': Row('slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb', clip_3d(4)),
    'swin': Row('swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb', clip_3d(4)),
    'tanet': Row('tanet_imagenet-pretrained-r50_8xb8-dense-1x1x8-100e_kinetics400-rgb', clip_2d(8)),
    'timesformer': Row(
        'timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb',
        clip_3d(8),
        'backbone=dict(img_size=32)',
    ),
    'tin': Row(
        'tin_imagenet-pretrained-r50_8xb6-1x1x8-40e_sthv2-rgb',
        clip_2d(8),
        why_not='its shift is an operation of mmcv, which mmcv-lite does not have',
        package='mmcv._ext',
    ),
    'tpn': Row('tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb', clip_3d(8)),
    'trn': Row('trn_imagenet-pretrained-r50_8xb16-1x1x8-50e_sthv2-rgb', clip_2d(8)),
    'tsm': Row('tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb', clip_2d(8)),
    'tsn': Row('tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb', clip_2d(3)),
    'uniformer': Row('uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb', clip_3d(4)),
    'uniformerv2': Row(
        'uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb',
        clip_3d(8),
        'backbone=dict(input_resolution=32)',
    ),
    'videomae': Row(
        'vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400',
        clip_3d(4),
        'backbone=dict(img_size=32, num_frames=4)',
    ),
    'videomaev2': Row(
        'vit-small-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400',
        clip_3d(4),
        'backbone=dict(img_size=32, num_frames=4)',
    ),
    'x3d': Row('x3d_s_13x6x1_facebook-kinetics400-rgb', clip_3d(4)),
    'mmpretrain': Row(
        TSN,
        clip_2d(3),
        "backbone=dict(_delete_=True, type='mmpretrain.MobileNetV2')",
        'in_channels=1280',
    ),
    'VTN': Row(
        'mmaction_kd::mbd/vtn_vit_b_k400',
        clip_3d(4),
        'backbone=dict(embed_dims=96, '
        "spatial_backbone=dict(_delete_=True, type='mmpretrain.MobileNetV2'))",
        'in_channels=96',
    ),
    'torchvision': Row(
        TSN,
        clip_2d(3, 64),
        "backbone=dict(_delete_=True, type='torchvision.mobilenet_v3_small')",
        'in_channels=576',
    ),
    'timm': Row(
        TSN,
        clip_2d(3),
        "backbone=dict(_delete_=True, type='timm.resnet18')",
        'in_channels=512',
        why_not='timm is not installed',
        package='timm',
    ),
}


def checkpoint(name: str, classes: int, folder: Path) -> Path:
    """Where the weights of a row are."""
    return folder / f'{name}_{classes}.pth'


def recognizer(name: str, classes: int, folder: Path) -> str:
    """The config of a row, in two lines."""
    row = ROWS[name]
    path = row.config if '/' in row.config else f'{name}/{row.config}'
    path = path if '::' in path else f'mmaction::recognition/{path}'
    more = f'{row.more}, ' if row.more else ''
    head = f'num_classes={classes}' + (f', {row.head}' if row.head else '')
    weights = str(checkpoint(name, classes, folder))
    return f"dict(config='{path}.py',\n        {more}cls_head=dict({head}), checkpoint={weights!r})"


def mbd(local: str, global_: str, folder: Path) -> str:
    """The config of two rows as pathways."""
    return f"""model = dict(type='mmaction_kd.MBDRecognizer',
    local_pathway={recognizer(local, CLASSES, folder)},
    global_pathway={recognizer(global_, CLASSES, folder)},
    distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', layers='final'),
    fusion_head=dict(type='mmaction_kd.AdaptiveFusionHead'))"""


def dtkd(student: str, teacher: str, folder: Path) -> str:
    """The config of a row as student of another."""
    static, dynamic = (recognizer(teacher, len(SUBSETS[name]), folder) for name in SUBSETS)
    return f"""model = dict(type='mmaction_kd.DualTeacherDistiller',
    student={recognizer(student, CLASSES, folder)},
    teachers=dict(static={static},
        dynamic={dynamic}),
    distill_loss=dict(type='mmaction_kd.SubsetDistillLoss', subsets={SUBSETS}))"""


def write_checkpoints(name: str, folder: Path) -> None:
    """Random weights of a row, with heads for all classes and for those of a teacher, once."""
    for classes in {CLASSES, *map(len, SUBSETS.values())}:
        path = checkpoint(name, classes, folder)
        if not path.exists():
            cfg = Config.fromstring(f'model = {recognizer(name, classes, folder)}', '.py')
            torch.save(build_recognizer(cfg.model)[0].state_dict(), path)


def videos(name: str, views: int) -> list[Tensor]:
    """Clips of a row, a video each, as its pipeline would pack them."""
    clip = ROWS[name].clip
    flat = clip[1] == 3  # no clip of a Recognizer3D has three frames here
    shape = (views * clip[0], *clip[1:]) if flat else (views, *clip)
    return [torch.randint(256, shape, dtype=torch.uint8) for _ in range(VIDEOS)]


def try_out(text: str, inputs: Mapping[str, str]) -> None:
    """Build a model, do a training step and predict.

    Args:
        text: its config.
        inputs: the row of each input.

    Raises:
        Exception: what goes wrong.
    """
    if len(text.splitlines()) > MOST_LINES:
        raise ValueError(f'the config has more than {MOST_LINES} lines:\n{text}')
    model = MODELS.build(Config.fromstring(text, '.py').model)
    model.init_weights()
    model.train()
    losses = model(**prepared(model, inputs, 1, training=True), mode='loss')
    sum(value.mean() for key, value in losses.items() if 'loss' in key).backward()
    for part in {'local_pathway', 'global_pathway', 'student'} & inputs.keys():
        parameters = model.get_submodule(part).parameters()
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not (any(g.any() for g in gradients) and all(g.isfinite().all() for g in gradients)):
            raise ValueError(f'{part} has no gradients, or some that are not finite')
    model.eval()
    with torch.no_grad():
        samples = model(**prepared(model, inputs, TEST_VIEWS, training=False), mode='predict')
    for sample in samples:
        total = sample.pred_score.sum().item()
        if sample.pred_score.shape != (CLASSES,) or not math.isclose(total, 1, abs_tol=1e-4):
            raise ValueError(f'the scores must sum to one, got {sample.pred_score.tolist()}')


def prepared(model: nn.Module, inputs: Mapping[str, str], views: int, training: bool) -> dict:
    """A batch, as the model's preprocessor leaves it."""
    samples = [ActionDataSample().set_gt_label(label) for label in (0, CLASSES - 1)]
    clips = {key: videos(name, views) for key, name in inputs.items()}
    return model.data_preprocessor(dict(inputs=clips, data_samples=samples), training)


def matrix(rows: Sequence[str], folder: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """Try rows in each role.

    Args:
        rows: names.
        folder: for checkpoints.

    Yields:
        A row and a role, and what goes wrong, empty where nothing does.
    """
    able = [name for name in rows if ROWS[name].is_able]
    for name, other in zip(able, [*able[1:], *able[:1]], strict=True):
        pathways = dict(local_pathway=name, global_pathway=other)
        wrong = what_goes_wrong(mbd(name, other, folder), pathways, folder)
        yield from (((name, ROLES[0]), wrong), ((other, ROLES[1]), wrong))
        models = dict(student=name, static=other, dynamic=other)
        wrong = what_goes_wrong(dtkd(name, other, folder), models, folder)
        yield from (((name, ROLES[2]), wrong), ((other, ROLES[3]), wrong))


def what_goes_wrong(text: str, inputs: Mapping[str, str], folder: Path) -> str:
    """The error of :func:`try_out` in a line."""
    torch.manual_seed(0)
    wrong = ''
    try:
        for name in set(inputs.values()):
            write_checkpoints(name, folder)
        try_out(text, inputs)
    except Exception as error:  # of any part of the host
        wrong = f'{type(error).__name__}: {" ".join(str(error).split())}'
    print(' + '.join(dict.fromkeys(inputs.values())), wrong or 'ok', file=sys.stderr, flush=True)
    return wrong


def as_table(rows: Sequence[str], found: Mapping[tuple[str, str], str]) -> str:
    """Format the matrix in Markdown."""
    lines = [
        '| row | config | in addition to `num_classes` | ' + ' | '.join(ROLES) + ' |',
        '|---' * (3 + len(ROLES)) + '|',
    ]
    for name in rows:
        row = ROWS[name]
        more = ', '.join(f'`{text}`' for text in (row.more, row.head) if text)
        verdicts = [found.get((name, role), row.why_not) for role in ROLES]
        cells = (f'no: {verdict}' if verdict else 'yes' for verdict in verdicts)
        lines.append(f'| {name} | `{row.config}` | {more} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def write_between(page: Path, table: str) -> None:
    """Put the table between the marks of a page."""
    text = page.read_text(encoding='utf-8')
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f'zoo_matrix: {page} must have the lines {START!r} and {END!r}.')
    write_atomically(page, f'{before}{start}\n{table}\n{end}{after}')


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Refuse connections."""

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionError('zoo_matrix: a checkpoint is named, so nothing may be fetched')

    connect = mock.patch.object(socket.socket, 'connect', refuse)
    with connect, mock.patch.object(socket, 'getaddrinfo', refuse):
        yield


def folders() -> list[str]:
    """Those of the installed MMAction2 with recognition configs."""
    return sorted({path.parent.name for path in ZOO.glob('*/*.py')})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', choices=ROWS, metavar='ROW', help='of these rows')
    parser.add_argument('--page', type=Path, help='file to write the table into')
    args = parser.parse_args()
    unknown = set(folders()) - ROWS.keys()
    if unknown:
        sys.exit(f'zoo_matrix: each folder of the zoo must have a row, got none for {unknown}')
    rows = args.only or list(ROWS)
    MMLogger.get_instance('zoo_matrix', log_level='ERROR')
    init_default_scope('mmaction')
    with offline(), tempfile.TemporaryDirectory() as folder:
        found = dict(matrix(rows, Path(folder)))
    table = as_table(rows, found)
    print(table)
    if args.page:
        write_between(args.page, table)
    if any(found.values()):
        sys.exit(1)


if __name__ == '__main__':
    main()
