"""Measure mean and standard deviation of a data set's training videos, by channel.

    python tools/data/normalization.py CONFIG.py --out data/ucf101/normalization.json

Some frames of every video of train_dataloader (--frames, evenly spread, of the size in the file)
are read as the config reads them; all pixels count alike. Prints the line for the data set's config
in configs/_base_/datasets: ``normalization = dict(mean=[...], std=[...])``, in RGB of 0 to 255.

Killed, the same command resumes: what is finished is kept in OUT.partial until OUT is written. The
numbers do not depend on --workers. Unreadable videos are listed and left out.
"""

import argparse
import json
import math
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.utils import ProgressBar
from torch.utils.data import DataLoader, Dataset

import mmaction_kd  # noqa: F401  (fixes the host)
from mmaction_kd.datasets.annotation_file import check_annotations
from mmaction_kd.datasets.reader_process import available_cores
from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.utils.command_line import add_cfg_options
from mmaction_kd.utils.json_lines import append_line, read_lines
from mmaction_kd.utils.process_lock import only_process
from mmaction_kd.utils.stopped_tool import plain_ctrl_c


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='with a train_dataloader.dataset')
    parser.add_argument('--out', type=Path, required=True, help='.json file to write')
    parser.add_argument('--frames', type=int, default=8, help='of each video, default 8')
    parser.add_argument('--workers', type=int, default=available_cores(), help='processes')
    add_cfg_options(parser)
    args = parser.parse_args()
    for name in ('frames', 'workers'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be 1 or more, got {getattr(args, name)}')
    return args


def dataset_config(path: str, options: dict, frames: int) -> dict:
    """The training videos, read to complete frames that are spread over each.

    Args:
        path: of the config.
        options: that override it.
        frames: of each video.

    Returns:
        Config of the data set of MMAction2 in it, also where a wrapper chooses from it.
    """
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options)
    dataset = cfg.train_dataloader.dataset.to_dict()
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    readers = [s for s in dataset['pipeline'] if s['type'].endswith(('Init', 'Decode'))]
    sample = dict(type='SampleFrames', clip_len=1, num_clips=frames, test_mode=True)
    pipeline = [*readers[:-1], sample, readers[-1]]
    return dict(dataset, pipeline=pipeline, lazy_init=True)


class PixelSums(Dataset):
    """Of each video the number of its pixels, and of each channel their sum and that of squares.

    Args:
        dataset: of MMAction2, whose pipeline ends with the decoded frames.
        todo: which videos.
    """

    def __init__(self, dataset: Dataset, todo: list[int]) -> None:
        self.dataset, self.todo = dataset, todo

    def __len__(self) -> int:
        return len(self.todo)

    def __getitem__(self, index: int) -> dict:
        """Return integers, exact in any order; of an unreadable video the ``error``."""
        index = self.todo[index]
        try:
            images = self.dataset.prepare_data(index)['imgs']
        except Exception as error:
            return dict(index=index, error=f'{type(error).__name__}: {error}')
        found = dict(index=index, pixels=0, sums=[0] * 3, squares=[0] * 3)
        for image in images:
            pixels = image.reshape(-1, 3).astype('int64')
            found['pixels'] += len(pixels)
            for key, values in dict(sums=pixels, squares=pixels**2).items():
                found[key] = [a + int(b) for a, b in zip(found[key], values.sum(0), strict=True)]
        return found


def name_of(info: dict) -> str:
    """What a video's line in OUT.partial is known by: its file and that file's size and time."""
    path = Path(info.get('filename') or info['frame_dir'])
    stat = path.stat() if path.exists() else None
    return f'{path} {stat and (stat.st_size, stat.st_mtime_ns)}'


def statistics(lines: list[dict]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, over all pixels of all lines."""
    pixels = sum(line['pixels'] for line in lines)
    sums = [sum(line['sums'][c] for line in lines) for c in range(3)]
    squares = [sum(line['squares'][c] for line in lines) for c in range(3)]
    means = [value / pixels for value in sums]
    # In whole numbers up to the root: the difference of two large ones.
    variances = [pixels * q - s * s for q, s in zip(squares, sums, strict=True)]
    return means, [math.sqrt(value) / pixels for value in variances]


def measure(args: argparse.Namespace) -> None:
    """Do what is missing, and write the result."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(dataset_config(args.config, args.cfg_options, args.frames))
    check_annotations(dataset)
    dataset.full_init()
    names = [name_of(dataset.get_data_info(index)) for index in range(len(dataset))]
    partial = args.out.with_name(f'{args.out.name}.partial')
    done = {line['video']: line for line in read_lines(partial) if line['frames'] == args.frames}
    todo = [index for index, name in enumerate(names) if name not in done]
    print(f'{len(names)} videos, {len(names) - len(todo)} of them finished before', flush=True)
    bar = ProgressBar(len(todo)) if todo else None
    errors = {}
    loader = DataLoader(
        PixelSums(dataset, todo), batch_size=None, num_workers=args.workers if todo else 0
    )
    for found in loader:
        name = names[found.pop('index')]
        if 'error' in found:
            errors[name] = found['error']
        else:
            done[name] = dict(video=name, frames=args.frames, **found)
            append_line(partial, done[name])
        if bar is not None:
            bar.update()
    lines = [done[name] for name in dict.fromkeys(names) if name in done]
    if not lines:
        raise SystemExit(f'normalization: there must be a readable video, got {errors}')
    mean, std = statistics(lines)
    report = dict(mean=mean, std=std, videos=len(lines), frames=args.frames, unreadable=errors)
    write_atomically(args.out, json.dumps(report, indent=1) + '\n')
    partial.unlink(missing_ok=True)
    for name, error in errors.items():
        print(f'\nunreadable: {name}: {error}')
    rounded = [[round(value, 3) for value in values] for values in (mean, std)]
    print(f'\nnormalization = dict(mean={rounded[0]}, std={rounded[1]})')


def main() -> None:
    args = parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    lock = args.out.with_name(f'{args.out.name}.lock')
    with only_process(lock, 'normalization', args.out, 'take another --out'):
        measure(args)


if __name__ == '__main__':
    with plain_ctrl_c('normalization'):
        main()
