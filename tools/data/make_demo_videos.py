"""Render a small labelled video set, so that everything can be tried without a download.

    python tools/data/make_demo_videos.py OUT [--train N] [--test N] [--seed S]

Each video is an .mp4 of a few seconds with a striped square on a noisy ground. The four classes
come in two pairs, one for each pathway of MBD:

- drift_left, drift_right: the stripes move by one period in 8 frames, in one colour all the time.
  Frames 8 apart look the same, so only consecutive frames show the direction.
- red_then_blue, blue_then_red: the stripes stand still and change their colour once, near the
  middle. Few runs of 16 consecutive frames show the change, so only the order over the whole clip
  distinguishes them.

Writes OUT/videos/CLASS/*.mp4 and OUT/{train,test}.txt with lines `path label`, as VideoDataset
reads them, and OUT/classes.txt.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from mmaction_kd.utils.atomic_file import write_atomically

CLASSES = ('drift_left', 'drift_right', 'red_then_blue', 'blue_then_red')
WIDTH, HEIGHT, FRAMES, FPS = 96, 72, 136, 25
RED, BLUE = (40, 40, 230), (230, 60, 40)  # BGR
PERIOD = 16  # pixels
SPEED = 2  # pixels per frame: one period in 8 frames


def render(label: str, rng: np.random.Generator) -> np.ndarray:
    """Draw one video.

    Args:
        label: one of CLASSES.
        rng: decides place, size, ground, colour and moment of the change.

    Returns:
        Frames (T, H, W, 3), uint8, BGR.
    """
    ground = rng.integers(90, 150, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    ground = cv2.resize(ground, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    side = int(rng.integers(40, 57))
    left, top = int(rng.integers(WIDTH - side + 1)), int(rng.integers(HEIGHT - side + 1))
    phase = rng.integers(PERIOD)
    speed = {'drift_left': -SPEED, 'drift_right': SPEED}.get(label, 0)
    if label.startswith('drift'):
        first = second = (RED, BLUE)[rng.integers(2)]
    else:
        first, second = (RED, BLUE) if label == 'red_then_blue' else (BLUE, RED)
    change = int(FRAMES * rng.uniform(0.4, 0.6))
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(FRAMES):
        bright = (np.arange(side) - speed * t + phase) % PERIOD < PERIOD // 2  # (side,)
        colour = np.array(first if t < change else second)
        frame = ground.astype(np.int64)
        frame[top : top + side, left : left + side] = np.where(bright[:, None], colour, 245)
        frames[t] = np.clip(frame + rng.integers(-8, 9, frame.shape), 0, 255)
    return frames


def write_video(path: Path, frames: np.ndarray) -> None:
    """Write an .mp4: OpenCV elsewhere, since it reports no full disk, and then atomically.

    Args:
        path: where to.
        frames: (T, H, W, 3), uint8, BGR.

    Raises:
        OSError: the file can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (frames.shape[2], frames.shape[1])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, path.name)
        writer = cv2.VideoWriter(str(made), cv2.VideoWriter_fourcc(*'mp4v'), FPS, size)
        for frame in frames:
            writer.write(frame)
        writer.release()
        if cv2.VideoCapture(str(made)).get(cv2.CAP_PROP_FRAME_COUNT) != len(frames):
            raise OSError(
                f'make_demo_videos: OpenCV must be able to write an .mp4 into {folder}, got none '
                'that is complete; is there room in the folder of temporary files?'
            )
        write_atomically(path, made.read_bytes())


def make_videos(out: Path, num_videos: dict, seed: int) -> None:
    """Render every split.

    Args:
        out: folder.
        num_videos: for each split the number of videos a class.
        seed: the same seed, the same videos.
    """
    rng = np.random.default_rng(seed)
    for split, count in num_videos.items():
        lines = []
        for i in range(count):
            for label, name in enumerate(CLASSES):
                path = Path(name, f'{split}_{i:03}.mp4')
                write_video(out / 'videos' / path, render(name, rng))
                lines.append(f'{path} {label}')
        write_atomically(out / f'{split}.txt', '\n'.join(lines) + '\n')
        print(f'{split}: {len(lines)} videos in {out / "videos"}', flush=True)
    write_atomically(out / 'classes.txt', '\n'.join(CLASSES) + '\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument('--train', type=int, default=40, help='training videos a class')
    parser.add_argument('--test', type=int, default=10, help='test videos a class')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if args.train < 1 or args.test < 0:
        parser.error(
            f'--train must be 1 or more and --test not negative, got {args.train} and {args.test}'
        )
    make_videos(args.out, dict(train=args.train, test=args.test), args.seed)


if __name__ == '__main__':
    main()
