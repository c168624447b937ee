"""Run the steps after Decode once per distinct frame, however many clips have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from mmaction.datasets.transforms import (
    CenterCrop,
    ColorJitter,
    Flip,
    FormatShape,
    Fuse,
    MultiScaleCrop,
    RandomCrop,
    RandomRescale,
    RandomResizedCrop,
    Resize,
    TenCrop,
    ThreeCrop,
)
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from mmaction_kd.datasets.transforms.uniform_three_crop import UniformThreeCrop

SEVERAL_CROPS = (ThreeCrop, TenCrop, UniformThreeCrop)
CROPS = (RandomCrop, RandomResizedCrop, MultiScaleCrop, CenterCrop, *SEVERAL_CROPS)
NEW_FRAMES = (Resize, RandomRescale, ColorJitter, Fuse)
FRAME_WISE = (*CROPS, *NEW_FRAMES, Flip)
"""Steps that treat every frame alike, with random numbers drawn once per sample; no subclasses."""


class SharedFrameSteps:
    """The steps of a pathway after Decode, run once on each of its frames.

    Overlapping clips and looped short videos have frames in common. The leading steps of FRAME_WISE
    run on the distinct frames; then every clip gets its own frames, and the other steps run. The
    result is that of these steps on the frames of every clip.

    If FormatShape is next, it copies the frames into one array. Any other step may write into them,
    as stock steps do, so repeated frames are copied before it. Crops of one frame overlap in
    memory; they are made before the copies only if FormatShape is next.

    Args:
        steps: configs of the steps.

    Attributes:
        writes: whether a step writes into its input frames.
    """

    def __init__(self, steps: Sequence[dict]) -> None:
        self.transforms = Compose(steps).transforms
        kinds = [type(step) for step in self.transforms]
        cut = first_of(kinds, lambda kind: kind not in FRAME_WISE)
        self._stacks = cut < len(kinds) and kinds[cut] is FormatShape
        if not self._stacks:
            cut = min(cut, first_of(kinds, lambda kind: kind in SEVERAL_CROPS))
        self._frame_wise = Compose(self.transforms[:cut])
        self._others = Compose(self.transforms[cut:])
        self.writes = writes_into_frames(self.transforms)

    def __call__(self, results: dict, imgs: list[np.ndarray], uses: np.ndarray) -> dict | None:
        """Finish a sample.

        Args:
            results: what Decode left, without ``imgs``.
            imgs: the distinct frames, (H, W, C) each.
            uses: index into ``imgs`` of each frame of each clip, (frames,).

        Returns:
            What the last step returned; None if a step rejected the sample.
        """
        results['imgs'] = imgs
        if results['modality'] != 'RGB':  # Flip inverts every other map of optical flow
            give_to_clips(results, len(imgs), uses, copy=True)
            results = self._frame_wise(results)
        else:
            results = self._frame_wise(results)
            give_to_clips(results, len(imgs), uses, copy=not self._stacks)
        return self._others(results)


def give_to_clips(results: dict, distinct: int, uses: np.ndarray, copy: bool) -> None:
    """Replace each crop's distinct frames by those of all clips, in ``imgs`` and ``crop_bbox``.

    Args:
        results: the pipeline's dict; ``imgs`` has the distinct frames of each crop, crop by crop.
        distinct: number of distinct frames.
        uses: index among them of each frame of each clip, (frames,).
        copy: copy repeated frames.
    """
    imgs = results['imgs']
    indices = np.add.outer(distinct * np.arange(len(imgs) // distinct), uses).ravel()
    results['imgs'] = [imgs[index] for index in indices]
    boxes = results.get('crop_bbox')
    if isinstance(boxes, np.ndarray) and boxes.ndim == 2:  # several crops: a box for each frame
        results['crop_bbox'] = boxes[indices]
    if copy:
        first_uses = set(np.unique(indices, return_index=True)[1].tolist())
        results['imgs'] = [
            img if use in first_uses else img.copy() for use, img in enumerate(results['imgs'])
        ]


def decode_distinct(results: dict, read: Callable[[list[int]], Iterable[np.ndarray]]) -> dict:
    """Decode each requested frame once, and set what MMAction2's Decode steps set.

    Args:
        results: the pipeline's dict, with ``frame_inds``.
        read: yields (H, W, C) for each of ascending frame indices.

    Returns:
        The same dict with ``imgs``, ``img_shape`` and ``original_shape``, without the reader.
    """
    results['frame_inds'] = np.ravel(results['frame_inds'])
    distinct, uses = np.unique(results['frame_inds'], return_inverse=True)
    results['imgs'] = list(read(distinct.tolist()))
    give_to_clips(results, len(distinct), uses, copy=True)
    results['video_reader'] = None
    results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
    return results


def writes_into_frames(steps: Sequence[BaseTransform]) -> bool:
    """Check whether any of the steps may write into the input frames."""
    for step in steps:
        kind = type(step)
        if kind in (Resize, Flip) and step.lazy:  # done by Fuse
            continue
        if kind in NEW_FRAMES or kind is FormatShape:
            return False
        if kind not in CROPS:
            return True
    return False


def first_of(kinds: Sequence[type], wanted: Callable[[type], bool]) -> int:
    """Return the index of the first kind that is wanted, or their number."""
    return next((index for index, kind in enumerate(kinds) if wanted(kind)), len(kinds))
