r"""Store the logits of the frozen teachers of a DTKD config, for V views of every training video.

    python tools/store_teachers.py CONFIG --views V [--out DIR]
    python tools/store_teachers.py CONFIG --check [N] [--out DIR]

CONFIG trains a DualTeacherDistiller; of its train_dataloader the data set with its pipeline, and
the teachers with their checkpoints, are what the store is made of. DIR is the stored_teachers of
its model unless named. Training with stored_teachers=DIR and the data set wrapped in
mmaction_kd.StoredTeacherViews then runs no teacher.

Killed, the same command resumes with the shards that are not complete, and ends with the same
bytes; with another checkpoint, pipeline or list of videos it is refused. Videos that can't be read
are named at the end (exit code 1), and left out in training; the same command tries them again.

Several processes share the shards, on several machines through a shared folder:

    python -m torch.distributed.run --nproc_per_node=N tools/store_teachers.py \
        ... --launcher pytorch
    srun ... python tools/store_teachers.py ... --launcher slurm

--check makes a random sample of the views again, shows them to the teachers and prints the largest
differences; exit code 1 where a probability differs by more than --tolerance, or a clip at all.
"""

import argparse
import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.dist import get_world_size, init_dist, is_main_process
from mmengine.registry import init_default_scope
from mmengine.utils.dl_utils import set_multi_processing

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.engine import record_teachers as recording
from mmaction_kd.models.distillers import DualTeacherDistiller
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.fingerprint import other_versions
from mmaction_kd.stored_teachers.store_header import StoreHeader, describe_dataset, load_header
from mmaction_kd.stored_teachers.teacher_store import TeacherStore
from mmaction_kd.stored_teachers.view_replay import build_dataset
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.process_lock import only_process
from mmaction_kd.utils.stopped_tool import plain_ctrl_c

SHARDS = 64  # a kill costs at most one of each process
LONGEST_WAIT = 30 * 24 * 3600  # seconds that a rank waits for the slowest


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='of a DualTeacherDistiller with frozen teachers')
    parser.add_argument('--out', type=Path, help='folder of the store')
    parser.add_argument('--views', type=int, help='V, of each video; needed to begin a store')
    parser.add_argument('--seed', type=int, help='of the views; default: 0')
    parser.add_argument(
        '--shards', type=int, help=f'files of a teacher; default: {SHARDS}, or one a process'
    )
    parser.add_argument('--batch-size', type=int, help='views at once; default: train_dataloader')
    parser.add_argument(
        '--check', nargs='?', const=100, type=int, metavar='N', help='compare N views; default: 100'
    )
    parser.add_argument(
        '--tolerance', type=float, default=1e-3, help='of a probability, with --check'
    )
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    for name in ('views', 'shards', 'batch_size', 'check'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name.replace("_", "-")} must be 1 or more, got {value}')
    if not args.tolerance >= 0:
        parser.error(f'--tolerance must be at least 0, got {args.tolerance}')
    if args.check is not None and args.launcher != 'none':
        parser.error(f'--check runs in one process, got --launcher {args.launcher}')
    return args


def unwrapped(dataset: Mapping) -> Mapping:
    """The data set that a config's StoredTeacherViews is around, or the one without."""
    inner = dataset
    while 'dataset' in inner:
        if inner['type'].endswith('StoredTeacherViews'):
            return inner['dataset']
        inner = inner['dataset']
    return dataset


def built_model(cfg: Config) -> DualTeacherDistiller:
    """The distiller with its teachers loaded, on this process's device."""
    kind = str(cfg.model.type).rpartition('.')[2]
    if kind != 'DualTeacherDistiller' or not cfg.model.get('frozen_teachers', True):
        raise SystemExit(
            'store_teachers: the config must train a DualTeacherDistiller with frozen teachers, '
            f'got {kind} with frozen_teachers={cfg.model.get("frozen_teachers", True)}.'
        )
    model = MODELS.build({**cfg.model, 'stored_teachers': None})
    model.load_teachers()
    device = 'cpu'
    if torch.cuda.is_available():
        device = f'cuda:{int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()}'
        torch.cuda.set_device(device)
    return model.to(device).eval()


def wanted_header(
    args: argparse.Namespace, cfg: Config, model: DualTeacherDistiller, described: dict
) -> StoreHeader:
    """What the command line asks for; of a store that was begun, what it leaves open."""
    begun = None
    if args.check is not None or (args.out / 'store.json').exists():
        begun = load_header(args.out)
    elif args.views is None:
        raise SystemExit(
            f'store_teachers: --views must be given to begin a store, got none in {args.out}.'
        )
    videos = described['videos']
    shards = min(args.shards or max(SHARDS, get_world_size()), videos)
    bounds = tuple(videos * i // shards for i in range(shards + 1))
    size = args.batch_size or cfg.train_dataloader.batch_size
    return StoreHeader(
        num_classes=model.distill_loss.num_classes,
        views=args.views or begun.views,
        seed=args.seed if args.seed is not None else begun.seed if begun else 0,
        teachers=model.teacher_identities(),
        shards=bounds,
        batch_size=size,
        **described,
    )


def record(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    header: StoreHeader,
    args: argparse.Namespace,
    workers: int,
) -> None:
    """Fill the store, this process its shards.

    Raises:
        SystemExit: videos could not be read.
    """
    alone = only_process(args.out / '.lock', 'store_teachers', args.out, 'take another --out')
    with alone if is_main_process() else contextlib.nullcontext():
        unusable = recording.record_store(model, dataset, args.out, header, workers, True)
    if is_main_process():
        size = sum(path.stat().st_size for path in args.out.iterdir()) / 1e6
        views = header.views * header.videos
        print(f'\n{args.out}: {views} views of {header.videos} videos, {size:.1f} MB', flush=True)
    if unusable:
        lines = [f'  {key}: {reason}' for key, reason in unusable.items()]
        raise SystemExit(
            f'store_teachers: all videos must be readable, got {len(unusable)} that are not; '
            'training leaves their views out, the same command tries them again.\n'
            + '\n'.join(lines if is_main_process() else ())
        )


def check(
    model: DualTeacherDistiller,
    dataset: BaseDataset,
    header: StoreHeader,
    args: argparse.Namespace,
    workers: int,
) -> None:
    """Compare a random sample of the views.

    Raises:
        ValueError: the store is of something else.
        SystemExit: it differs.
    """
    store = TeacherStore.complete(args.out)
    store.header.check(header, 'store_teachers', args.out, 'check it with what it was made of')
    total = store.header.videos * store.header.views
    chosen = np.random.default_rng().choice(total, min(args.check, total), replace=False)
    views = [divmod(int(row), store.header.views) for row in sorted(chosen)]
    found = recording.check_views(model, dataset, store, views, workers)
    print(f'{found.views} of {total} views compared')
    for name in sorted(found.logits):
        print(
            f'{name}: largest difference of a logit {found.logits[name]:.2e}, of a probability '
            f'{found.probs[name]:.2e}'
        )
    print(f'{len(found.clips)} clips are others')
    if found.clips or max(found.probs.values()) > args.tolerance:
        others = ', '.join(f'video {i} view {v}' for i, v in found.clips[:5])
        raise SystemExit(
            f'store_teachers: {args.out} must agree with the teachers within {args.tolerance} and '
            f'have their clips, got the differences above {f"({others})" if others else ""}; other '
            f'libraries than it was made with: {other_versions(store.header.versions)}.'
        )


def main() -> None:
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    args.out = args.out or cfg.model.get('stored_teachers')
    if args.out is None:
        raise SystemExit(
            'store_teachers: --out must be given where the model has no stored_teachers, got none '
            f'in {args.config}.'
        )
    args.out = Path(args.out)
    if args.launcher != 'none':
        init_dist(args.launcher, backend='gloo', timeout=LONGEST_WAIT)
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    set_multi_processing(**cfg.get('env_cfg', {}).get('mp_cfg', {}))
    model = built_model(cfg)
    dataset_cfg = unwrapped(cfg.train_dataloader.dataset)
    dataset = build_dataset(dataset_cfg, 'store_teachers')
    dataset.full_init()
    header = wanted_header(args, cfg, model, describe_dataset(dataset, dataset_cfg))
    run = record if args.check is None else check
    run(model, dataset, header, args, cfg.train_dataloader.get('num_workers', 0))


if __name__ == '__main__':
    with plain_ctrl_c('store_teachers'):
        main()
