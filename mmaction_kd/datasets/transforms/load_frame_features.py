"""Frozen features of frames, computed once per video and stored."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.utils import get_str_type
from mmcv.transforms import BaseTransform
from mmengine.config import ConfigDict
from mmengine.dataset import Compose

from mmaction_kd.datasets.random_numbers import random_state_kept, seed_all
from mmaction_kd.datasets.video_backends import step_kind
from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import MODELS, TRANSFORMS
from mmaction_kd.utils.atomic_file import atomic_file, write_atomically

FORMAT = 1
TRIALS = 8
"""Seeds for which the steps must give the same frame."""


@TRANSFORMS.register_module()
class LoadFrameFeatures(BaseTransform):
    """Load features of a frozen encoder instead of frames: it runs once per video, not per epoch.

    A video without features in ``folder`` is decoded, prepared by ``steps`` and encoded, and the
    features of its frames 0, n, 2 n, ... are stored; from then on they are read. To the next steps
    they are an array of frames of 1 x 1 px with a channel for each feature::

        [dict(type='mmaction_kd.LoadFrameFeatures', ...),
         dict(type='SampleFrames', clip_len=16, frame_interval=6),
         dict(type='mmaction_kd.SnapFrames', frame_interval=3),
         dict(type='ArrayDecode'),
         dict(type='FormatShape', input_format='NCTHW'),
         dict(type='PackActionInputs')]

    In front of PathwayPipelines it serves all pathways. The model has the same encoder as its
    ``spatial_backbone``, checks that the features are its own
    (:class:`~mmaction_kd.models.backbones.FrozenFrameEncoder`), and predicts from plain videos with
    the same steps: Init, SampleFrames, SnapFrames, Decode, Resize, ...

    The only augmentation is temporal, by the sampler: steps that draw random numbers are refused,
    as one draw would be stored for good.

    Features are never those of something else. Their folder is named by a fingerprint of the
    encoder (weights, config, normalisation), of ``steps`` and of n; their file by the path of the
    video, its size and modification time. Files are written atomically, so a killed run is resumed,
    and processes may share a folder. Required key is ``filename``; set are ``array``,
    ``total_frames`` and ``avg_fps``.

    Args:
        encoder: config of a ``FrozenFrameEncoder``, with the weights of its backbone.
        steps: pipeline steps that make a frame: Init and Decode, and those that the prediction has
            after Decode, such as Resize.
        folder: of the stored features, float32.
        frame_interval: n, in frames of the video.
        batch_size: frames per forward pass of the encoder.

    Raises:
        ValueError: ``steps`` have not exactly one Decode step. On a sample: it is no video file, or
            has no frames.
        FileNotFoundError: on a sample: the video or the encoder's weights do not exist.
    """

    @checked_options
    def __init__(
        self,
        encoder: dict,
        steps: Sequence[dict],
        folder: str | Path,
        frame_interval: Count = 1,
        batch_size: Count = 16,
    ) -> None:
        kinds = [step_kind(step) for step in steps]
        cuts = [index for index, kind in enumerate(kinds) if kind.endswith('Decode')]
        if len(cuts) != 1:
            raise ValueError(
                f'LoadFrameFeatures: steps must have exactly one Decode step, got {kinds}; e.g. '
                'DecordInit, DecordDecode, Resize.'
            )
        self._encoder, self._steps = _plain(encoder), _plain(list(steps))
        self.folder, self.frame_interval = Path(folder), frame_interval
        self.batch_size = batch_size
        self._init = Compose(steps[: cuts[0]])
        self._decode = Compose(steps[cuts[0] : cuts[0] + 1])
        self._prepare = Compose(steps[cuts[0] + 1 :])
        self._own_folder: Path | None = None

    def transform(self, results: dict) -> dict:
        if 'filename' not in results or results.get('start_index', 0) != 0:
            raise ValueError(
                'LoadFrameFeatures: its input must be a video file, as filename, with '
                f'start_index=0, got the keys {sorted(results)}; take a VideoDataset.'
            )
        if self._own_folder is None:
            self._own_folder = self._named_folder()
        path = self._own_folder / _file_name(str(results['filename']))
        content = _read(path)
        if content is None:
            with random_state_kept(gpus=False):
                content = self._make(str(results['filename']))
            with atomic_file(path) as file:
                np.savez(file, **content)  # type: ignore[arg-type]
        results['array'] = FramesEvery(content['features'], self.frame_interval)
        results['total_frames'] = int(content['total_frames'])
        results['avg_fps'] = float(content['avg_fps'])
        return results

    @property
    def encoder(self) -> Any:
        """Return the encoder, one for all pipelines of a process."""
        return _built_encoder(self._encoder)

    def _named_folder(self) -> Path:
        """Create the folder of this encoder, these steps and this interval."""
        made_of = [FORMAT, self.encoder.fingerprint, json.loads(self._steps), self.frame_interval]
        name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / 'made_of.json').exists():
            keys = ('format', 'encoder', 'steps', 'frame_interval')
            about = dict(zip(keys, made_of, strict=True), config=json.loads(self._encoder))
            write_atomically(folder / 'made_of.json', json.dumps(about, indent=1) + '\n')
        return folder

    def _make(self, filename: str) -> dict[str, np.ndarray]:
        video = self._init(dict(filename=filename, start_index=0, modality='RGB'))
        total = video['total_frames']
        if total < 1:
            raise ValueError(
                f'LoadFrameFeatures: {filename} must have at least one frame, got {total}; it is '
                'empty or broken.'
            )
        rows = []
        for first in range(0, total, self.batch_size * self.frame_interval):
            last = min(total, first + self.batch_size * self.frame_interval)
            inds = np.arange(first, last, self.frame_interval)
            decoded = self._decode(dict(video, frame_inds=inds, num_clips=1, clip_len=len(inds)))
            if first == 0:
                self._check_steps(decoded)
            imgs = np.stack(self._prepare(decoded)['imgs'])  # (T, H, W, 3)
            if len(imgs) != len(inds):
                raise ValueError(
                    f'LoadFrameFeatures: steps must give one image a frame, got {len(imgs)} of '
                    f'{len(inds)} frames; leave several crops out.'
                )
            frames = torch.from_numpy(imgs).permute(0, 3, 1, 2).float()
            rows.append(self.encoder.features_to_store(frames).numpy())
        return dict(
            features=np.concatenate(rows),
            total_frames=np.array(total),
            avg_fps=np.array(video.get('avg_fps') or np.nan),
        )

    def _check_steps(self, decoded: dict) -> None:
        """Refuse steps that draw random numbers: one draw would be stored."""
        found = []
        for seed in range(TRIALS):
            seed_all(seed)
            one = dict(decoded, imgs=[decoded['imgs'][0].copy()], clip_len=1)
            found.append(np.stack(self._prepare(one)['imgs']))
        if not all(np.array_equal(other, found[0]) for other in found):
            raise ValueError(
                'LoadFrameFeatures: steps must give the same of the same frame, got different '
                f'frames of {TRIALS} seeds from {self._steps}; leave random crops, flips and '
                'colours out.'
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(encoder={self._encoder}, steps={self._steps}, '
            f"folder='{self.folder}', frame_interval={self.frame_interval}, "
            f'batch_size={self.batch_size})'
        )


class FramesEvery:
    """Features of every n-th frame, as an array for ArrayDecode.

    Args:
        rows: of frames 0, n, 2 n, ..., (T', D).
        frame_interval: n.
    """

    def __init__(self, rows: np.ndarray, frame_interval: int) -> None:
        self.rows, self.frame_interval = rows, frame_interval

    def __getitem__(self, index: int) -> np.ndarray:
        """Return the features of a frame, (1, 1, D); ValueError if they are not stored."""
        row, rest = divmod(int(index), self.frame_interval)
        if rest:
            raise ValueError(
                f'LoadFrameFeatures: clips must be of every {self.frame_interval}-th frame, got '
                f'frame {index}; add dict(type="mmaction_kd.SnapFrames", '
                f'frame_interval={self.frame_interval}) after the sampler.'
            )
        return self.rows[row].reshape(1, 1, -1)


def _plain(value: dict | list) -> str:
    """Serialise a config as JSON, the same for equal ones."""
    plain = ConfigDict(value=value).to_dict()['value']
    return json.dumps(plain, sort_keys=True, default=get_str_type)


@functools.cache
def _built_encoder(config: str) -> Any:
    with random_state_kept(gpus=False):
        encoder = MODELS.build(json.loads(config))
        encoder.init_weights()
    encoder.eval()
    return encoder


def _file_name(filename: str) -> str:
    """Name the file of a video's features; it changes with the video."""
    path = Path(filename)
    if not path.exists() and not path.suffix:
        path = path.with_suffix('.mp4')  # as DecordInit does
    about = path.stat()
    key = json.dumps([os.path.realpath(path), about.st_size, about.st_mtime_ns])
    return f'{path.stem}_{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz'


def _read(path: Path) -> dict[str, np.ndarray] | None:
    """Read stored features; None where there are none, or they are damaged (npz has a checksum)."""
    try:
        with np.load(path, allow_pickle=False) as content:
            return dict(content)
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError):
        return None
