"""Name the action in videos with an ONNX file of export.py.

Usage: python predict_onnx.py MODEL.onnx VIDEO [VIDEO ...]

Needs numpy, opencv-python and onnxruntime alone: copy this file with the model. A video is a file,
or a folder of images, which are its frames in the order of their names.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

IMAGES = ('.jpg', '.jpeg', '.png', '.bmp')


def sampled_frames(steps: Sequence[dict], total_frames: int) -> np.ndarray:
    """Sample as MMAction2's SampleFrames or UniformSample in a test, and SnapFrames.

    Args:
        steps: of one input of the graph.
        total_frames: of the video.

    Returns:
        Frame indices, (clips, T).
    """
    sampler, *others = steps
    length, clips = sampler['clip_len'], sampler.get('num_clips', 1)
    if sampler['type'] == 'UniformSample':
        segment = (total_frames - 1) / length
        shifts = (segment / (clips + 1) * (np.arange(clips) + 1)).astype(int)
        inds = np.round(segment * np.arange(length)).astype(int) + shifts[:, None]
    else:
        inds = _strided_frames(sampler, length, clips, total_frames)
    for step in others:
        if step['type'] == 'SnapFrames':
            inds = inds - inds % step['frame_interval']
    return inds


def _strided_frames(step: dict, length: int, clips: int, total_frames: int) -> np.ndarray:
    stride = step.get('frame_interval', 1)
    if length == 1:  # one frame in the middle of each segment
        starts = (np.arange(clips) + 0.5) * total_frames / clips
    else:
        last_start = max(total_frames - (length - 1) * stride - 1, 0)
        if clips > 1:
            starts = np.round(np.arange(clips) * (last_start / (clips - 1)))
        else:
            starts = np.array([last_start // 2])
    inds = (starts[:, None] + stride * np.arange(length)).astype(int)
    if step.get('out_of_bound_opt') == 'repeat_last':
        inside = inds < total_frames
        return np.where(inside, inds, (inside * inds).max(1, keepdims=True))
    return inds % total_frames


def resized(frame: np.ndarray, step: dict) -> np.ndarray:
    """Resize a frame (H, W, 3) as MMAction2's Resize."""
    height, width = frame.shape[:2]
    short, long = sorted(step['scale'])
    if not step.get('keep_ratio', True):
        size = tuple(step['scale'])
    else:
        if short == -1:
            short, long = long, np.inf
        scale = min(long / max(height, width), short / min(height, width))
        size = (int(width * scale + 0.5), int(height * scale + 0.5))
    area = step.get('interpolation') == 'area'
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if area else cv2.INTER_LINEAR)


def crop_corners(step: dict, height: int, width: int) -> tuple[list[tuple[int, int]], int, int]:
    """Place the crops of CenterCrop, ThreeCrop or UniformThreeCrop.

    Args:
        step: its settings.
        height: of the frames.
        width: of the frames.

    Returns:
        (x, y) of each crop's corner, and the crops' height and width.
    """
    size = step['crop_size']
    crop_width, crop_height = (size, size) if isinstance(size, int) else size
    x, y = width - crop_width, height - crop_height
    if min(x, y) < 0 or (step['type'] == 'ThreeCrop' and min(x, y) != 0):
        raise ValueError(
            f'predict_onnx: {step["type"]} of {crop_width} x {crop_height} must fit the frames, '
            f'got {width} x {height}.'
        )
    centre = (x // 2, y // 2)
    if step['type'] == 'CenterCrop':
        corners = [centre]
    elif step['type'] == 'UniformThreeCrop':
        ends = [(0, centre[1]), (x, centre[1])] if x >= y else [(centre[0], 0), (centre[0], y)]
        corners = [*ends, centre]
    else:
        corners = [(0, 0), (2 * centre[0], 2 * centre[1]), centre]
    return corners, crop_height, crop_width


def clips_of(frames: dict[int, np.ndarray], inds: np.ndarray, steps: Sequence[dict]) -> np.ndarray:
    """Run the steps after the sampling.

    Args:
        frames: by index, (H, W, 3), RGB.
        inds: of the clips, (clips, T).
        steps: of one input of the graph.

    Returns:
        (1, views, T, H, W, 3), crop by crop; where T is 1, (1, views, H, W, 3).
    """
    made = {index: frames[index] for index in np.unique(inds).tolist()}
    corners, height, width = [(0, 0)], 0, 0
    for step in steps:
        if step['type'] == 'Resize':
            made = {index: resized(frame, step) for index, frame in made.items()}
        elif step['type'].endswith('Crop'):
            shape = next(iter(made.values())).shape
            corners, height, width = crop_corners(step, *shape[:2])
    if not height:  # no crop
        height, width = next(iter(made.values())).shape[:2]
    views = [
        np.stack([made[index][y : y + height, x : x + width] for index in clip])
        for x, y in corners
        for clip in inds.tolist()
    ]
    stacked = np.stack(views)[None]
    return stacked[:, :, 0] if inds.shape[1] == 1 else stacked


def read_frames(path: Path) -> list[np.ndarray]:
    """Read all frames of a video or of a folder of images, (H, W, 3), RGB.

    Raises:
        ValueError: there are none.
    """
    frames = []
    if path.is_dir():
        images = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGES)
        frames = [cv2.imread(str(image)) for image in images]
    else:
        video = cv2.VideoCapture(str(path))
        while (read := video.read())[0]:
            frames.append(read[1])
    if not frames or any(frame is None for frame in frames):
        raise ValueError(f'predict_onnx: {path} must be a video that can be read, got no frames.')
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames]


def predict(
    session: onnxruntime.InferenceSession, inputs: dict[str, list[dict]], path: Path
) -> dict[str, np.ndarray]:
    """Return the graph's outputs for one video.

    Args:
        session: of the file.
        inputs: the steps of each input, from the file.
        path: of the video.

    Returns:
        ``scores`` (K,), and what else the graph has, by name.
    """
    frames = dict(enumerate(read_frames(path)))
    feed = {}
    for name, steps in inputs.items():
        feed[name] = clips_of(frames, sampled_frames(steps, len(frames)), steps)
    names = [output.name for output in session.get_outputs()]
    return {name: values[0] for name, values in zip(names, session.run(None, feed), strict=True)}


def best(scores: np.ndarray, classes: Sequence[str], count: int) -> str:
    """Format the best classes, 'walk 0.81, run 0.10, ...'."""
    top = np.argsort(-scores, kind='stable')[:count].tolist()
    return ', '.join(f'{classes[i] if classes else i} {scores[i]:.2f}' for i in top)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', type=Path, help='an .onnx of export.py')
    parser.add_argument('videos', nargs='+', type=Path, help='videos, or folders of images')
    parser.add_argument('--threads', type=int, default=0, help='0: one for each core')
    args = parser.parse_args()
    for path in (args.model, *args.videos):
        if not path.exists():
            parser.error(f'there is no {path}')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(
        str(args.model), options, providers=onnxruntime.get_available_providers()
    )
    metadata = session.get_modelmeta().custom_metadata_map
    if 'mmaction_kd' not in metadata:
        sys.exit(
            f'predict_onnx: {args.model} must be a file of export.py, got one without its settings.'
        )
    settings = json.loads(metadata['mmaction_kd'])
    failed = False
    for path in args.videos:
        try:
            found = predict(session, settings['inputs'], path)
        except ValueError as error:
            print(error, file=sys.stderr)
            failed = True
            continue
        print(f'{path}\n  {best(found["scores"], settings["classes"], 5)}')
        for name in ('local', 'global'):
            if f'{name}_scores' in found:
                words = best(found[f'{name}_scores'], settings['classes'], 2)
                print(f'    {name:6} (weight {found[f"{name}_weight"]:.2f}): {words}')
    if failed:
        sys.exit(1)


if __name__ == '__main__':
    main()
