"""Three test crops of frames whose short side is larger than the crop."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class UniformThreeCrop(BaseTransform):
    """Crop squares at both ends and in the middle of the long side, centred on the short side.

    MMAction2's ThreeCrop needs a crop as long as the short side; MBD tests with crops of 112 on a
    short side of 128, and of 224 on 256 (section 3.4).

    Required key is ``imgs``; ``imgs``, ``crop_bbox`` (x1, y1, x2, y2 in pixels) and ``img_shape``
    are set. The order is that of ThreeCrop: all frames of the first, of the last, of the middle
    crop.

    Args:
        crop_size: side of the crops, in pixels.

    Raises:
        ValueError: it is less than 1, or larger than a frame.
    """

    @checked_options
    def __init__(self, crop_size: Count) -> None:
        self.crop_size = crop_size

    def transform(self, results: dict) -> dict:
        imgs, size = results['imgs'], self.crop_size
        height, width = imgs[0].shape[:2]
        if min(height, width) < size:
            raise ValueError(
                f'UniformThreeCrop: crop_size must not exceed the frame, got {size} for frames of '
                f'{width} x {height} (W x H); put a Resize before it.'
            )
        slack_x, slack_y = width - size, height - size
        centre = (slack_x // 2, slack_y // 2)
        if width >= height:
            corners = [(0, centre[1]), (slack_x, centre[1]), centre]
        else:
            corners = [(centre[0], 0), (centre[0], slack_y), centre]
        boxes = [(x, y, x + size, y + size) for x, y in corners]
        results['imgs'] = [img[y1:y2, x1:x2] for x1, y1, x2, y2 in boxes for img in imgs]
        results['crop_bbox'] = np.repeat(boxes, len(imgs), axis=0)
        results['img_shape'] = (size, size)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size})'
