"""Find the bad videos of a data set: decode every frame of every video.

    python tools/data/check_videos.py CONFIG.py --out bad_videos.json
    python tools/data/check_videos.py ANN.txt --videos DIR --out bad_videos.json

A video is bad if its file is cut, a frame can not be decoded, its frames end before its header
says, or the pipeline can't be run on it (the config's; for an annotation file decord's). This is
stricter than training, which sees a few frames, and than decoders, which repeat frames or guess
the rest of one. Damage inside a frame that leaves no gap in the stream is not found.

Of a config the data sets of all dataloaders are checked, without their wrappers. Each video is
decoded in a process that may crash, or hang for --timeout seconds. Writes the bad ones with their
reasons to --out, for known= of SkipBadVideos; prints them, and exits with 0 whether there are any
or not.
"""

import argparse
import math
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.utils import ProgressBar, import_modules_from_strings

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)
from mmaction_kd.datasets.bad_videos_file import BadVideos, video_name, write_bad_videos
from mmaction_kd.datasets.reader_process import available_cores
from mmaction_kd.datasets.video_check import check_videos
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.stopped_tool import plain_ctrl_c

LOADERS = ('train', 'val', 'test')
PIPELINE = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=1, test_mode=True),
    dict(type='DecordDecode'),
]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        'source', metavar='ANN_OR_CONFIG', help='.txt annotation file, or .py config'
    )
    parser.add_argument('--videos', metavar='DIR', help='of the videos that the .txt names')
    parser.add_argument('--out', type=Path, required=True, help='.json file to write')
    parser.add_argument('--workers', type=int, default=available_cores(), help='processes')
    parser.add_argument(
        '--timeout', type=float, default=300, metavar='S', help='seconds that a video may take'
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    if not args.source.endswith(('.py', '.txt')):
        parser.error(f'ANN_OR_CONFIG must end in .py or .txt, got {args.source}')
    if (args.videos is not None) != args.source.endswith('.txt'):
        parser.error(f'a .txt must have --videos, a .py none, got {args.videos} for {args.source}')
    if args.cfg_options and args.source.endswith('.txt'):
        parser.error(f'--cfg-options must be for a config, got {args.source}')
    if args.workers < 1 or not 0 < args.timeout < math.inf:
        parser.error(
            '--workers must be 1 or more and --timeout above 0 and finite, got '
            f'{args.workers} and {args.timeout}'
        )
    return args


def inner_configs(cfg: dict) -> list[dict]:
    """The data sets in wrappers with the key ``dataset`` or ``datasets``."""
    inner = [cfg['dataset']] if 'dataset' in cfg else cfg.get('datasets')
    return [cfg] if inner is None else [found for part in inner for found in inner_configs(part)]


def dataset_configs(args: argparse.Namespace) -> dict[str, list[dict]]:
    """What to check, by the name under which it is to be written."""
    if args.source.endswith('.txt'):
        prefix = dict(video=args.videos)
        cfg = dict(type='VideoDataset', ann_file=args.source, data_prefix=prefix)
        return {Path(args.source).stem: [dict(cfg, pipeline=PIPELINE)]}
    cfg = Config.fromfile(args.source)
    cfg.merge_from_dict(args.cfg_options)
    import_modules_from_strings(**cfg.get('custom_imports', dict(imports=[])))
    loaders = {name: cfg.get(f'{name}_dataloader') for name in LOADERS}
    found = {name: inner_configs(loader.dataset) for name, loader in loaders.items() if loader}
    if not found:
        raise SystemExit(
            f'check_videos: the config must have a dataloader, got none in {args.source}; name an '
            'annotation file.'
        )
    return found


def main() -> None:
    args = parse_args()
    init_default_scope('mmaction')
    datasets = {
        name: [DATASETS.build(cfg) for cfg in cfgs] for name, cfgs in dataset_configs(args).items()
    }
    found: dict[str, BadVideos] = {}
    bar = ProgressBar(sum(len(dataset) for own in datasets.values() for dataset in own))
    for name, own in datasets.items():
        found[name] = BadVideos(sum(map(len, own)))
        for dataset in own:
            for index, fault in check_videos(dataset, args.workers, args.timeout):
                if fault is not None:
                    video = video_name(dataset.get_data_info(index), index)
                    found[name].bad_videos[video] = fault.reason
                bar.update()
    print()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_bad_videos(args.out, found)
    for name, of in found.items():
        print(f'{name}: {of} are bad')
        for video, reason in sorted(of.bad_videos.items()):
            print(f'  {video}: {reason}')


if __name__ == '__main__':
    with plain_ctrl_c('check_videos'):
        main()
