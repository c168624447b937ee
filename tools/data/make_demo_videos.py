"""Render a small labelled video set, so that everything can be tried without a download.

    python tools/data/make_demo_videos.py OUT [--train N] [--test N] [--seed S]

Each video is an .mp4 of a few seconds with a bar on a cluttered ground. The four classes come in
two pairs, one for each pathway of MBD:

- spin_left, spin_right: the bar turns once in 8 frames, its colour is one all the time. Frames 8
  apart show the same angle, so only consecutive frames tell the direction.
- red_then_blue, blue_then_red: the bar stands still and changes its colour once, near the middle.
  Few runs of 16 consecutive frames show the change, so only the order over the clip tells.

Writes OUT/videos/CLASS/*.mp4 and OUT/{train,test}.txt with lines `path label`, as VideoDataset
reads them, and OUT/classes.txt.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

CLASSES = ('spin_left', 'spin_right', 'red_then_blue', 'blue_then_red')
WIDTH, HEIGHT, FRAMES, FPS = 96, 72, 136, 25
RED, BLUE = (40, 40, 230), (230, 60, 40)  # BGR
TURN = 8  # frames


def render(label: str, rng: np.random.Generator) -> np.ndarray:
    """Draw one video.

    Args:
        label: one of CLASSES.
        rng: decides place, size, ground, colour and moment of the change.

    Returns:
        Frames (T, H, W, 3), uint8, BGR.
    """
    ground = rng.integers(60, 180, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    ground = cv2.resize(ground, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    centre = np.array([rng.uniform(38, WIDTH - 38), rng.uniform(32, HEIGHT - 32)])
    length, start = rng.uniform(18, 26), rng.uniform(0, 2 * np.pi)
    first, second = (RED, BLUE) if rng.random() < 0.5 else (BLUE, RED)
    if label.startswith('spin'):
        step = 2 * np.pi / TURN * (-1 if label == 'spin_left' else 1)
        second = first
    else:
        step = 0.0
        first, second = (RED, BLUE) if label == 'red_then_blue' else (BLUE, RED)
    change = int(FRAMES * rng.uniform(0.4, 0.6))
    frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for t in range(FRAMES):
        angle = start + step * t
        tip = centre + length * np.array([np.cos(angle), np.sin(angle)])
        frame = ground.copy()
        colour = first if t < change else second
        cv2.line(frame, _pixel(centre), _pixel(tip), colour, 7, cv2.LINE_AA)
        cv2.circle(frame, _pixel(centre), 7, (250, 250, 250), -1, cv2.LINE_AA)
        noise = rng.integers(-8, 9, frame.shape)
        frames[t] = np.clip(frame + noise, 0, 255)
    return frames


def write_video(path: Path, frames: np.ndarray) -> None:
    """Write an .mp4.

    Args:
        path: where to.
        frames: (T, H, W, 3), uint8, BGR.

    Raises:
        OSError: OpenCV can't write the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = (frames.shape[2], frames.shape[1])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), FPS, size)
    if not writer.isOpened():
        raise OSError(f'make_demo_videos: OpenCV can not write {path}; is the folder writable?')
    for frame in frames:
        writer.write(frame)
    writer.release()


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
        (out / f'{split}.txt').write_text('\n'.join(lines) + '\n')
        print(f'{split}: {len(lines)} videos in {out / "videos"}', flush=True)
    (out / 'classes.txt').write_text('\n'.join(CLASSES) + '\n')


def _pixel(point: np.ndarray) -> tuple:
    return tuple(int(x) for x in point.round())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument('--train', type=int, default=40, help='training videos a class')
    parser.add_argument('--test', type=int, default=10, help='test videos a class')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    make_videos(args.out, dict(train=args.train, test=args.test), args.seed)


if __name__ == '__main__':
    main()
