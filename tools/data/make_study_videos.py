"""Render videos on which a small effect of distillation shows: few to learn from, many to test.

    python tools/data/make_study_videos.py OUT [--train N] [--test N] [--sets S] [--distractors D]

Each video has 24 frames of 32 x 32 px: a disc drifts over a grey ground with noise. Eight classes
in two groups, by two cues:

- Order, seen over the whole video: the disc turns from red to yellow or from yellow to red, from
  cyan to blue or from blue to cyan, at a moment between 30 and 70 % of the video. Four still
  classes.
- Beat, seen in frames that follow each other: its size swings with a period of 4 or of 8 frames,
  while it is red and yellow or cyan and blue, in any order. Four moving classes.

Both pathways of MBD see something of every class: eight consecutive frames show the pair of colours
of a still class, but not always the change; frames that are 3 apart show that a class moves and its
pair, but hardly the period. Hues vary, so that a pair may be mistaken for the other. In a share
`--weak` of the videos, for training and test alike, the cue is weak: the change is near one end, or
the swing small.

A share `--distractors` of the training videos has the label of another class, drawn evenly, as
clips that were collected by their titles, or cut by a slower annotation. No test video has.

Nothing else depends on the class. There are S training sets without a common video, one for each
seed of a study, and one test set.

Writes OUT/videos/{train,test}/*.mp4, OUT/train_{0..S-1}.txt and OUT/test.txt with lines `path
label`, OUT/classes.txt and OUT/subsets.json with the still classes as static, the moving ones as
dynamic. The same seed gives the same videos, each by itself: one that is there is not rendered
again, and what was killed is resumed.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from make_demo_videos import write_video

from mmaction_kd.utils.atomic_file import write_atomically

HUES = ((0, 30), (90, 120))  # of OpenCV, of 180: red and yellow, cyan and blue
HUE_STD = 10
STILL = ('red_yellow', 'yellow_red', 'cyan_blue', 'blue_cyan')
MOVING = ('fast_warm', 'slow_warm', 'fast_cold', 'slow_cold')
CLASSES = STILL + MOVING
FRAMES, SIDE = 24, 32
PERIODS = (4, 8)  # frames; fast, slow
FIXED_POINT = 4  # fractional bits of the coordinates of cv2.circle


def colour(hue: float, saturation: int, value: int) -> list[int]:
    """BGR of a colour whose hue is of 180."""
    hsv = np.array([[[round(hue) % 180, saturation, value]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0].tolist()


def render(label: int, rng: np.random.Generator, weak: float) -> np.ndarray:
    """Draw one video.

    Args:
        label: index into CLASSES.
        rng: decides all but the cue.
        weak: probability of a weak cue.

    Returns:
        Frames (T, H, W, 3), uint8, BGR.
    """
    moving, is_weak = label >= len(STILL), rng.random() < weak
    first = int(rng.integers(2)) if moving else label % 2
    change = rng.uniform(0.3, 0.7)
    swing = rng.uniform(0, 0.06)
    if moving:
        swing = 0.4 * (rng.uniform(0.15, 0.5) if is_weak else rng.uniform(0.7, 1))
    elif is_weak:
        change = abs(int(rng.integers(2)) - rng.uniform(0.04, 0.15))
    period, phase = PERIODS[label % 2], rng.uniform(0, 2 * np.pi)
    hues = np.array(HUES[label // 2 % 2]) + rng.normal(0, HUE_STD, 2)
    colours = [colour(hue, *rng.integers(140, 240, 2)) for hue in hues]
    ground, radius = rng.integers(90, 166), rng.uniform(7, 9)
    centre, drift = rng.uniform(12, 20, 2), rng.uniform(-3, 3, 2)
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    for t, place in enumerate(np.arange(FRAMES) / FRAMES):
        size = radius * (1 + swing * np.sin(2 * np.pi * t / period + phase))
        frame = np.full((SIDE, SIDE, 3), ground, np.uint8)
        disc(frame, centre + drift * place, size, colours[first ^ (place >= change)])
        noise = rng.integers(-6, 7, frame.shape)
        frames[t] = np.clip(frame.astype(np.int16) + noise, 0, 255)
    return frames


def disc(frame: np.ndarray, centre: np.ndarray, radius: float, colour: list[int]) -> None:
    """Draw a disc, with fractions of pixels.

    Args:
        frame: (H, W, 3), uint8, drawn into.
        centre: (2,), in pixels.
        radius: in pixels.
        colour: BGR.
    """
    x, y, r = (round(float(value) * 2**FIXED_POINT) for value in (*centre, radius))
    cv2.circle(frame, (x, y), r, colour, cv2.FILLED, cv2.LINE_AA, FIXED_POINT)


def make_videos(
    out: Path,
    train: int,
    test: int,
    sets: int,
    distractors: float,
    weak: float,
    seed: int,
) -> None:
    """Render what is missing of every set.

    Args:
        out: folder.
        train: videos a class in each training set.
        test: videos a class in the test set.
        sets: training sets.
        distractors: share of each training set with the label of another class.
        weak: probability of a weak cue.
        seed: the same seed, the same videos.

    Raises:
        ValueError: the folder has videos of other settings.
    """
    settings = json.dumps(dict(weak=weak, seed=seed)) + '\n'
    noted = out / 'rendered.json'
    if noted.exists() and noted.read_text() != settings:
        raise ValueError(
            f'make_study_videos: {out} must be empty or rendered with {settings.strip()}, got '
            f'{noted.read_text().strip()}; take another folder.'
        )
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(noted, settings)
    write_atomically(out / 'classes.txt', '\n'.join(CLASSES) + '\n')
    subsets = dict(classes=CLASSES, subsets=dict(dynamic=MOVING, static=STILL))
    write_atomically(out / 'subsets.json', json.dumps(subsets, indent=1) + '\n')
    lists = [(f'train_{s}', 'train', s * train, train, distractors) for s in range(sets)]
    lists.append(('test', 'test', 0, test, 0.0))
    for index, (name, split, begin, count, share) in enumerate(lists):
        lines = []
        wrong = np.random.default_rng([seed, index])
        for i in range(begin, begin + count):
            for label, of_class in enumerate(CLASSES):
                path = Path(split, f'{of_class}_{i:04}.mp4')
                if not (out / 'videos' / path).exists():
                    rng = np.random.default_rng([seed, split == 'test', i, label])
                    write_video(out / 'videos' / path, render(label, rng, weak))
                shift = int(wrong.integers(1, len(CLASSES))) if wrong.random() < share else 0
                lines.append(f'{path} {(label + shift) % len(CLASSES)}')
        write_atomically(out / f'{name}.txt', '\n'.join(lines) + '\n')
        print(f'{name}: {len(lines)} videos', flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument('--train', type=int, default=40, help='videos a class of a training set')
    parser.add_argument('--test', type=int, default=100, help='test videos a class')
    parser.add_argument('--sets', type=int, default=5, help='training sets')
    parser.add_argument(
        '--distractors', type=float, default=0.2, help='share of wrong labels in training'
    )
    parser.add_argument('--weak', type=float, default=0.25, help='share of videos with a weak cue')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    if min(args.train, args.sets) < 1 or args.test < 0:
        parser.error(
            '--train and --sets must be 1 or more and --test not negative, got '
            f'{args.train}, {args.sets} and {args.test}'
        )
    if not (0 <= args.distractors <= 1 and 0 <= args.weak <= 1):
        parser.error(
            f'--distractors and --weak must be in [0, 1], got {args.distractors} and {args.weak}'
        )
    try:
        make_videos(**vars(args))
    except ValueError as error:
        parser.exit(1, f'{error}\n')


if __name__ == '__main__':
    main()
