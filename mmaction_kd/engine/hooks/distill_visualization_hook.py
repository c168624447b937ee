"""Pictures of a model's inputs and predictions in a test."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from mmaction.structures import ActionDataSample
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend

from mmaction_kd.datasets.class_subsets import read_classes
from mmaction_kd.datasets.video_names import video_path
from mmaction_kd.options import Count, NotNegative, checked_options
from mmaction_kd.registry import HOOKS
from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.visualization import (
    explain_video,
    figure_pixels,
    filmstrip_figure,
    picture_name,
    png_bytes,
)


@HOOKS.register_module()
class DistillVisualizationHook(Hook):
    """Draw every n-th video of a test or validation, as MMAction2's VisualizationHook would.

    That one takes the inputs for a single clip (T, H, W); this one draws models with several
    pathways and several views, see :func:`~mmaction_kd.visualization.filmstrip.filmstrip_figure`.
    The pictures go to the visualizer's backends (TensorBoard, WandB, ...: those of rank 0), or into
    ``out_dir``, then to all backends but the local one.

    Pictures show the numbers of frames where the pipeline packs them, which ``tools/test.py
    --show-dir`` sees to, or :func:`~mmaction_kd.visualization.shown_frames.keep_origin`.

    Args:
        interval: of videos from one picture to the next, in the order of the data set; at least 1.
        out_dir: folder for ``<number>_<video>.png``; files of these names are replaced.
        show: whether to open a window for each picture.
        wait_time: how long a window stays, in seconds; 0 until it is closed.
        grad_cam: whether to compute Grad-CAM, which takes a forward and backward pass of one view.
        classes: names of all classes, or path of a file with one a line; default those of the
            data set, or their numbers.

    Raises:
        ValueError: ``show`` is wanted without a display.
        FileNotFoundError: there is no such file of classes.
    """

    priority = 'NORMAL'

    @checked_options
    def __init__(
        self,
        interval: Count = 5000,
        out_dir: str | None = None,
        show: bool = False,
        wait_time: NotNegative = 0.0,
        grad_cam: bool = False,
        classes: Sequence[str] | str | None = None,
    ) -> None:
        if show and not has_display():
            raise ValueError(
                'DistillVisualizationHook: show must find a display, got neither DISPLAY nor '
                'WAYLAND_DISPLAY; give out_dir instead.'
            )
        self.interval = interval
        self.out_dir = out_dir
        self.show = show
        self.wait_time = wait_time
        self.grad_cam = grad_cam
        me = 'DistillVisualizationHook'
        self.classes = read_classes(classes, me) if isinstance(classes, str) else classes

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[ActionDataSample] | None = None,
        mode: str = 'train',
    ) -> None:
        if mode == 'train' or data_batch is None or outputs is None:
            return
        loader = runner.val_dataloader if mode == 'val' else runner.test_dataloader
        # An iteration-based run stays in epoch 0.
        step = (runner.epoch or runner.iter) if mode == 'val' else 0
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        classes = self.classes or loader.dataset.metainfo.get('classes')  # type: ignore[attr-defined]
        for i, sample in enumerate(outputs):
            # DefaultSampler deals the videos out to the ranks like cards, and fills the last round
            # up with videos from the start, which have been drawn.
            number = (batch_idx * (loader.batch_size or 1) + i) * get_world_size() + get_rank()
            if number % self.interval or number >= len(loader.dataset):  # type: ignore[arg-type]
                continue
            inputs = data_batch['inputs']
            own = {k: x[i] for k, x in inputs.items()} if isinstance(inputs, Mapping) else inputs[i]
            video = video_path(sample) or f'video {number}'
            picture = explain_video(model, own, sample, video, classes, with_grad_cam=self.grad_cam)
            pixels = figure_pixels(filmstrip_figure(picture))
            self._hand_out(runner, picture_name(video, number), pixels, step)

    def _hand_out(self, runner: Runner, name: str, pixels: np.ndarray, step: int) -> None:
        if self.show:
            runner.visualizer.show(pixels, win_name=name, wait_time=self.wait_time)
        if self.out_dir is None:
            runner.visualizer.add_image(name, pixels, step)
            return
        folder = Path(self.out_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f'{name}.png', png_bytes(pixels))
        if is_main_process():
            for backend in runner.visualizer._vis_backends.values():
                if not isinstance(backend, LocalVisBackend):
                    backend.add_image(name, pixels, step)


def has_display() -> bool:
    """Check the environment for a display."""
    if sys.platform in ('darwin', 'win32'):
        return True
    return any(os.environ.get(name) for name in ('DISPLAY', 'WAYLAND_DISPLAY'))
