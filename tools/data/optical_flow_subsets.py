"""Split the classes of a data set into a static and a dynamic subset by mean optical flow (DTKD).

    python tools/data/optical_flow_subsets.py CONFIG.py --out subsets.json
    python tools/data/optical_flow_subsets.py ANN.txt --videos DIR --out subsets.json
    python tools/data/optical_flow_subsets.py ANN.txt --frames DIR --out subsets.json

The motion of a video is the mean over frames and pixels of the flow's magnitude, in pixels per
frame at the working size (--short-side); that of a class is the mean over its videos. A class is
static if its motion is at or below --threshold.

Every frame has its part, by DIS at short side 128. Nearer to Farneback's flow at full size, and
quicker: --algorithm farneback --short-side 120 --pair-stride 7.

Writes the subsets with all that led to them to --out, and beside it NAME_histogram.png and
NAME_mean_std.png, as Figures 1 and 2 of the paper; prints its Table 1. Unusable videos are listed
and skipped.

All cores are used. What is finished is kept in OUT.partial until OUT is written: after a kill the
same command resumes. Several machines (a shared folder for --out; each process does its share):

    python -m torch.distributed.run --nproc_per_node=N ... tools/data/optical_flow_subsets.py \
        ... --launcher pytorch
    srun ... python tools/data/optical_flow_subsets.py ... --launcher slurm

The numbers do not depend on how many processes compute them, and nor does a byte of the files.
"""

import argparse
import contextlib
import json
import os
from dataclasses import fields
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import (
    all_gather_object,
    get_rank,
    get_world_size,
    init_dist,
    is_main_process,
)
from mmengine.utils import ProgressBar

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)
from mmaction_kd.datasets.class_subsets import read_classes
from mmaction_kd.datasets.labelled_videos import (
    LabelledVideo,
    build_datasets,
    class_names,
    labelled_videos,
)
from mmaction_kd.datasets.reader_process import available_cores
from mmaction_kd.datasets.video_source import UnusableVideo, VideoSource
from mmaction_kd.optical_flow.algorithms import ALGORITHMS
from mmaction_kd.optical_flow.class_motion import RULES
from mmaction_kd.optical_flow.motion_journal import MotionJournal
from mmaction_kd.optical_flow.motion_report import motion_report, statistics_table
from mmaction_kd.optical_flow.video_motion import MotionSettings, parallel_motion
from mmaction_kd.report.figures.figure import png
from mmaction_kd.report.figures.motion_figures import histogram_figure, mean_std_figure
from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.process_lock import only_process
from mmaction_kd.utils.stopped_tool import plain_ctrl_c

LONGEST_WAIT = 30 * 24 * 3600  # seconds that a rank waits for the slowest


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        'source',
        metavar='ANN_OR_CONFIG',
        help='.txt annotation file, or .py config with a train_dataloader.dataset',
    )
    parser.add_argument('--out', type=Path, required=True, help='.json file to write')
    parser.add_argument(
        '--threshold',
        default='q1',
        metavar='RULE',
        help=f'{RULES}; rank:N makes the N classes with the lowest motion static',
    )
    parser.add_argument(
        '--reuse',
        type=Path,
        metavar='JSON',
        help='an earlier --out with the same settings, whose videos are not measured again',
    )
    parser.add_argument(
        '--workers', type=int, default=available_cores(), help='processes of each rank'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)

    data = parser.add_argument_group('data set')
    data.add_argument('--videos', metavar='DIR', help='of the videos that the .txt names')
    data.add_argument('--frames', metavar='DIR', help='of the folders of frames that it names')
    data.add_argument(
        '--filename-tmpl',
        default='img_{:05}.jpg',
        metavar='NAME',
        help='of a frame, with --frames',
    )
    data.add_argument(
        '--classes',
        type=Path,
        metavar='TXT',
        help='one class name a line; else the names that the data set has, or the labels',
    )
    add_cfg_options(data)

    motion = parser.add_argument_group('motion of a video')
    default = MotionSettings()
    motion.add_argument(
        '--algorithm',
        default=default.algorithm,
        help=f'{", ".join(ALGORITHMS)}, or the import path of a function of your own: '
        'my_flow.raft, with PYTHONPATH=.',
    )
    motion.add_argument(
        '--short-side',
        type=int,
        default=default.short_side,
        metavar='PIXELS',
        help='working size: height or width of a frame, whichever is shorter; 0: as in the files, '
        'which must then be of one size to compare',
    )
    motion.add_argument(
        '--stride',
        type=int,
        default=default.stride,
        metavar='FRAMES',
        help='from one frame of a pair to the other; the unit stays pixels per frame',
    )
    motion.add_argument(
        '--pair-stride',
        type=int,
        default=default.pair_stride,
        metavar='FRAMES',
        help='from one pair to the next, best without a common divisor with the distance of the '
        'key frames, often 12; 0: as --stride, so that each pair begins where the last one ended',
    )
    motion.add_argument(
        '--segments',
        type=int,
        default=default.segments,
        metavar='PAIRS',
        help='cut a video into so many equal segments, of which the pair in the middle counts; '
        '0: every pair of the video',
    )
    motion.add_argument(
        '--centre-crop',
        type=float,
        default=default.centre_crop,
        metavar='RATIO',
        help='part of height and of width, about the centre, in which flow counts, in (0, 1]; '
        '1: the whole frame',
    )
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    folders = [folder for folder in (args.videos, args.frames) if folder is not None]
    if not args.source.endswith(('.py', '.txt')):
        parser.error(f'ANN_OR_CONFIG must end in .py or .txt, got {args.source}')
    if len(folders) != args.source.endswith('.txt'):
        parser.error(
            'a .txt must have its folder in one of --videos and --frames, a .py in neither, got '
            f'{folders} for {args.source}'
        )
    if args.cfg_options and args.source.endswith('.txt'):
        parser.error(f'--cfg-options must be for a config, got {args.source}')
    if args.out.suffix != '.json':
        parser.error(f'--out must end in .json, got {args.out}')
    if args.workers < 1:
        parser.error(f'--workers must be 1 or more, got {args.workers}')
    return args


def dataset_config(args: argparse.Namespace) -> dict:
    """Config of the data set that the command line names."""
    if args.source.endswith('.py'):
        cfg = Config.fromfile(args.source)
        cfg.merge_from_dict(args.cfg_options)
        if 'dataset' not in cfg.get('train_dataloader', {}):
            raise SystemExit(
                'optical_flow_subsets: the config must have a train_dataloader.dataset, got none '
                f'in {args.source}; name an annotation file.'
            )
        return cfg.train_dataloader.dataset.to_dict()
    if args.frames is None:
        return dict(type='VideoDataset', ann_file=args.source, data_prefix=dict(video=args.videos))
    return dict(
        type='RawframeDataset',
        ann_file=args.source,
        data_prefix=dict(img=args.frames),
        filename_tmpl=args.filename_tmpl,
    )


def read_dataset(args: argparse.Namespace) -> tuple[list[LabelledVideo], list[str]]:
    """The lines of the annotations, and the names of the classes."""
    datasets = build_datasets(dataset_config(args))
    videos = [video for dataset in datasets for video in labelled_videos(dataset)]
    given = datasets[0].metainfo.get('classes')
    if args.classes is not None:
        named = read_classes(args.classes, 'optical_flow_subsets')
        given = [name.strip() for name in named if name.strip()]
    return videos, class_names(given, videos)


def measure(
    sources: dict[str, VideoSource],
    settings: MotionSettings,
    folder: Path,
    workers: int,
    motions: dict[str, float],
) -> tuple[dict[str, float], dict[str, str]]:
    """Measure the videos on all ranks.

    Args:
        sources: all videos, by name.
        settings: of the measurement.
        folder: of the journal.
        workers: processes of each rank.
        motions: what is known already, by name.

    Returns:
        Motion by name, and of unusable videos the reason.
    """
    rank = get_rank()
    journal = MotionJournal(folder, settings, rank)
    finished: dict[str, float] = {}
    for part in all_gather_object(journal.read()):  # all have read before any writes
        finished |= part
    keys = {name: journal.key(source) for name, source in sources.items()}
    motions = motions | {name: finished[key] for name, key in keys.items() if key in finished}
    todo = [name for name in sources if name not in motions]
    own = {name: sources[name] for name in todo[rank :: get_world_size()]}
    if rank == 0:
        print(
            f'{len(sources)} videos, {len(sources) - len(todo)} of them finished before', flush=True
        )
    bar = ProgressBar(len(own)) if rank == 0 and own else None
    skipped = {}
    with contextlib.closing(parallel_motion(own, settings, workers)) as measured:
        for name, motion in measured:
            if isinstance(motion, UnusableVideo):
                skipped[name] = str(motion)
            else:
                motions[name] = motion
                journal.append(name, sources[name], motion)
            if bar is not None:
                bar.update()
    if bar is not None:
        print()
    everything: tuple[dict, dict] = {}, {}
    for part in all_gather_object((motions, skipped)):  # the slowest rank is waited for
        for total, share in zip(everything, part, strict=True):
            total.update(share)
    return everything


def earlier_motions(path: Path | None, settings: MotionSettings) -> dict[str, float]:
    """The videos of an earlier result.

    Raises:
        SystemExit: it was measured with other settings.
    """
    if path is None:
        return {}
    motion = json.loads(path.read_text())['motion']
    if motion['settings'] != settings.recorded():
        raise SystemExit(
            f'optical_flow_subsets: --reuse must be of the settings {settings.recorded()}, got '
            f'{motion["settings"]} in {path}; use these, or measure anew.'
        )
    return motion['videos']


def write_report(path: Path, report: dict) -> None:
    """Write the figures, and then the .json file, which says that all is done."""
    figures = dict(histogram=histogram_figure(report), mean_std=mean_std_figure(report))
    for name, figure in figures.items():
        write_atomically(path.with_name(f'{path.stem}_{name}.png'), png(figure))
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f'{text}\n')


def summary(report: dict, num_videos: int) -> str:
    """What is printed at the end."""
    lines = ['', statistics_table(report), '']
    for subset, names in report['subsets'].items():
        lines.append(f'{subset} ({len(names)}): {", ".join(names)}')
    skipped = report['motion']['skipped']
    if skipped:
        lines += ['', f'{len(skipped)} of {num_videos} videos are unusable and were skipped:']
        lines += [f'  {name}: {reason}' for name, reason in skipped.items()]
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    try:
        settings = MotionSettings(
            **{key.name: getattr(args, key.name) for key in fields(MotionSettings)}
        )
    except (ValueError, ImportError) as error:
        raise SystemExit(f'optical_flow_subsets: {error}') from error
    if args.launcher != 'none':
        init_dist(args.launcher, backend='gloo', timeout=LONGEST_WAIT)
    videos, classes = read_dataset(args)
    sources: dict[str, VideoSource] = {}
    for video in videos:
        if sources.setdefault(video.name, video.source) != video.source:
            raise SystemExit(
                f'optical_flow_subsets: a name must mean one video, got {video.name} for '
                f'{sources[video.name]} and {video.source}; name one data set at a time.'
            )
    earlier = earlier_motions(args.reuse, settings)
    known = {name: motion for name, motion in earlier.items() if name in sources}
    folder = args.out.with_name(f'{args.out.name}.partial')
    lock = args.out.with_name(f'{args.out.name}.lock')
    alone = only_process(lock, 'optical_flow_subsets', args.out, 'take another --out')
    with alone if is_main_process() else contextlib.nullcontext():
        motions, skipped = measure(sources, settings, folder, args.workers, known)
        if is_main_process():
            labels = [(video.name, video.labels) for video in videos]
            report = motion_report(classes, labels, motions, skipped, settings, args.threshold)
            write_report(args.out, report)
            MotionJournal(folder, settings).remove()
            print(summary(report, len(sources)))
    if args.launcher != 'none':
        from torch.distributed import barrier, destroy_process_group

        barrier()
        destroy_process_group()  # of those that leave it to Python's exit, gloo aborts some


if __name__ == '__main__':
    with plain_ctrl_c('optical_flow_subsets'):
        main()
