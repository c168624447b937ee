"""The steps after Decode, run on each distinct frame once, however many clips have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
"""Steps that do the same to every frame, with numbers that are drawn once a sample.

These classes themselves: a subclass may do otherwise.
"""


class SharedFrameSteps:
    """The steps of a pathway after its Decode, which are given each of its frames once.

    Overlapping clips and looped short videos have frames in common. The first steps, as far as they
    are of FRAME_WISE, run on the distinct frames; then every clip is given its own, and the other
    steps run. What comes out is what these steps make of the frames of every clip.

    Where FormatShape is next, it copies the frames into one array. Any other step may write into
    them, as stock steps do: then a frame that is used again is copied before. Crops of one frame
    overlap in memory; they are made before the copies only where FormatShape is next.

    Args:
        steps: configs of the steps.

    Attributes:
        writes: whether a step writes into the frames that it is given.
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
            uses: for each frame of each clip its place in ``imgs``, (frames,).

        Returns:
            What the last step returned, None if a step gave the sample up.
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
        uses: for each frame of each clip its place among them, (frames,).
        copy: copy a frame that is used again.
    """
    imgs = results['imgs']
    places = np.add.outer(distinct * np.arange(len(imgs) // distinct), uses).ravel()
    results['imgs'] = [imgs[place] for place in places]
    boxes = results.get('crop_bbox')
    if isinstance(boxes, np.ndarray) and boxes.ndim == 2:  # several crops: a box for each frame
        results['crop_bbox'] = boxes[places]
    if copy:
        first_uses = set(np.unique(places, return_index=True)[1].tolist())
        results['imgs'] = [
            img if use in first_uses else img.copy() for use, img in enumerate(results['imgs'])
        ]


def writes_into_frames(steps: Sequence[BaseTransform]) -> bool:
    """Whether any of the steps may write into the frames that the first is given."""
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
    """The place of the first that is wanted, the length if there is none."""
    return next((place for place, kind in enumerate(kinds) if wanted(kind)), len(kinds))
