"""Report what happens when, in a video of any length or in a live stream.

Usage: python tools/predict_stream.py CONFIG CHECKPOINT SOURCE [--every SECONDS] [--classes FILE]

SOURCE is a video, a folder of images (one video) or of videos (one after the other), the number of
a camera, or an address (rtsp://..., http://...). Written to --out, complete after Ctrl-C, too:

  windows.jsonl, windows.csv   a line a window: start and end in seconds, the best classes, and of
                               MBD the scores and the weight of each pathway
  segments.csv                 windows merged: start, end, class, mean score
  timeline.png                 all of it in one picture
  annotated.mp4                with --annotate: the video with the answers

A window's answer is the config's test of just its frames. Memory does not grow with the length.
"""

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path

import mmaction_kd  # noqa: F401  (before mmaction: fixes the host)

warnings.filterwarnings('ignore', message='Fail to import')

import torch  # noqa: E402
from mmengine.config import Config, DictAction  # noqa: E402
from torch import nn  # noqa: E402

from mmaction_kd.datasets.class_subsets import read_classes  # noqa: E402
from mmaction_kd.datasets.video_backends import AUTO  # noqa: E402
from mmaction_kd.models.submodels.tested_recognizer import load_tested_recognizer  # noqa: E402
from mmaction_kd.streaming import (  # noqa: E402
    FrameSource,
    Segment,
    SegmentMerger,
    StreamRecord,
    open_source,
    recognize_stream,
    segment_f1,
)
from mmaction_kd.streaming.frame_source import READERS  # noqa: E402
from mmaction_kd.streaming.timeline import clock  # noqa: E402
from mmaction_kd.utils.stopped_tool import STOPPED, ctrl_c_after  # noqa: E402

VIDEOS = ('.mp4', '.avi', '.mkv', '.mov', '.webm', '.mpg', '.mpeg', '.ts', '.m4v', '.wmv', '.flv')
PROGRESS = 5  # seconds


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='path of a config file')
    parser.add_argument('checkpoint', help='path or URL of a checkpoint')
    parser.add_argument('source', help='video, folder, number of a camera, or address')
    parser.add_argument('--every', type=float, default=1.0, help='seconds between windows')
    parser.add_argument('--window', type=float, help="seconds; default: the model's longest clip")
    parser.add_argument('--fps', type=float, help='frames a second; default: as the source reports')
    parser.add_argument('--classes', type=Path, help='file with one class name a line')
    parser.add_argument(
        '--high', type=float, default=0.5, help='score from which on a segment begins'
    )
    parser.add_argument('--low', type=float, default=0.3, help='score below which it ends')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/predict_stream'))
    parser.add_argument('--annotate', action='store_true', help='write annotated.mp4, too')
    parser.add_argument(
        '--truth', type=Path, help='a file such as segments.csv with the true segments: prints F1'
    )
    parser.add_argument('--patience', type=float, default=10, help='seconds until a reconnection')
    parser.add_argument(
        '--reader', choices=(AUTO, *READERS), default=AUTO, help='default: the first that can'
    )
    parser.add_argument('--device', default='cuda:0' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='settings that override the config, as a.b=1 c.d="[1,2]"',
    )
    return parser.parse_args()


def sources(source: str) -> list[str]:
    """Return the videos of a folder of videos; else the source itself."""
    if not Path(source).is_dir():
        return [source]
    videos = sorted(str(p) for p in Path(source).iterdir() if p.suffix.lower() in VIDEOS)
    return videos or [source]


def true_segments(path: Path, classes: tuple[str, ...]) -> list[Segment]:
    """Read a file such as segments.csv; it needs no scores."""
    names = {name: label for label, name in enumerate(classes)}
    with path.open(encoding='utf-8-sig', newline='') as file:
        return [
            Segment(
                float(row['start']),
                float(row['end']),
                names[row['class']] if classes else int(row['class']),
                1.0,
            )
            for row in csv.DictReader(file)
        ]


class Progress:
    """Print every few seconds how far the stream is read, and the real-time factor.

    Args:
        source: what is read.
    """

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self.windows = self.skipped = 0
        self.reached = 0.0
        self._began = self._printed = time.monotonic()

    def skip(self) -> bool:
        """Return whether to skip a window of a live stream, as frames wait already; count it."""
        late = self.source.late()
        self.skipped += late
        return late

    def add(self, end: float) -> None:
        """Count a window, and print a line if the last one is some seconds old."""
        self.windows += 1
        self.reached = end
        if time.monotonic() - self._printed >= PROGRESS:
            self._printed = time.monotonic()
            print(self.line(), file=sys.stderr, flush=True)

    def line(self) -> str:
        """Format how far, how many windows, and the real-time factor."""
        total = self.source.total
        of = f' of {clock(total / self.source.fps)}' if total else ''
        pace = self.reached / max(1e-9, time.monotonic() - self._began)
        late = f', {self.skipped} skipped as the model is late' if self.skipped else ''
        return f'{clock(self.reached)}{of}, {self.windows} windows{late}, {pace:.3g} x real time'


def follow(model: nn.Module, source: FrameSource, record: StreamRecord, args) -> None:
    """Answer all windows of a source, and write the answers.

    Args:
        model: the recognizer.
        source: what is read.
        record: where it is written.
        args: of the command line.
    """
    progress = Progress(source)
    frames = record.watch(source.frames())
    try:
        for answer in recognize_stream(
            model, frames, source.fps, args.every, args.window, progress.skip
        ):
            with ctrl_c_after():
                line = record.add(answer)
            progress.add(answer.end)
            if source.total is None:
                best = line['top'][0]
                print(f'{clock(answer.end)} {best["class"]} {best["score"]:.2f}', flush=True)
    finally:
        print(f'{source.name}: {progress.line()}', flush=True)


def print_segments(found: list[Segment], truth: list[Segment] | None, out: Path) -> None:
    """Print how many segments were found, and their F1 where the true ones are known."""
    print(f'{len(found)} segments in {out}')
    if truth is not None:
        f1, precision, recall = segment_f1(found, truth)
        print(f'F1 {f1:.3f} at IoU 0.5, precision {precision:.3f}, recall {recall:.3f}')


def main() -> None:
    args = parse_args()
    failed = False
    try:
        SegmentMerger(args.high, args.low, args.every)
        classes = read_classes(args.classes, 'predict_stream') if args.classes else ()
        truth = true_segments(args.truth, classes) if args.truth else None
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options)
        names = sources(args.source)
        settings = dict(fps=args.fps, patience=args.patience, reader=args.reader)
        source = open_source(names[0], **settings) if len(names) == 1 else None
        model = load_tested_recognizer(cfg, args.checkpoint, args.device, 'predict_stream')
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'{error}')
    for name in names:
        out = args.out / Path(name).stem if len(names) > 1 else args.out
        merger = SegmentMerger(args.high, args.low, args.every)
        try:
            source = source or open_source(name, **settings)
            # Settings are refused before a file is replaced.
            recognize_stream(model, (), source.fps, args.every, args.window)
            try:
                with StreamRecord(out, name, source.fps, classes, merger, args.annotate) as record:
                    follow(model, source, record, args)
            finally:
                print_segments(merger.segments, truth, out)
        except ValueError as error:
            print(error, file=sys.stderr)
            failed = True
        except KeyboardInterrupt:
            print(f'\npredict_stream: stopped; the results so far are in {out}.', file=sys.stderr)
            sys.exit(STOPPED)
        source = None
    if failed:
        sys.exit(1)


if __name__ == '__main__':
    main()
