"""Convert a SlowFast of PyTorchVideo's model zoo to a ``Recognizer3D`` of MMAction2.

    python tools/model_converters/pytorchvideo_slowfast.py \
        SLOWFAST_16x8_R101_50_50.pyth work_dirs/slowfast_r101_16x8_k400.pth
    python tools/model_converters/pytorchvideo_slowfast.py \
        SLOWFAST_8x8_R101.pyth work_dirs/slowfast_r101_8x8_k400.pth
    python tools/model_converters/pytorchvideo_slowfast.py \
        SLOWFAST_8x8_R50.pyth work_dirs/slowfast_r50_8x8_k400.pth

The result has the keys of ``configs/_base_/recognizers/slowfast_*.py``, with the classes of the
checkpoint; its weights identify which of the three it is. Both sides take RGB frames with mean
0.45 x 255 and std 0.225 x 255. The same slow and fast frames give the same logits at crop 224, but
two things lie outside the weights:

- Of 64 (32) frames the published models' slow pathway sees ``linspace(0, 63, 16)`` rounded down,
  the last frame included: 0, 4, 8, 12, 16, 21, ... 63. MMAction2's sees every fourth: 0, 4, 8, ...
  60, hence up to 3 frames earlier. The fast pathway sees all frames on both sides.
- The published head averages windows of 7 x 7 positions, which at crop 256 (8 x 8 positions) counts
  those at the border less; MMAction2's counts all alike.
"""

import argparse
import re
from pathlib import Path

import torch
from checkpoint_io import StateDict, check_against, load_state_dict, save_checkpoint
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmaction_kd.registry import MODELS

RECOGNIZERS = Path(__file__).resolve().parents[2] / 'configs/_base_/recognizers'
# Applied in this order. Block 0 is the stem, 1 to 4 are res2 to res5, 6 is the classifier; pathway
# 0 is the slow one.
NAMES = (
    (r'^blocks\.0\.multipathway_blocks\.0\.', 'backbone.slow_path.conv1.'),
    (r'^blocks\.0\.multipathway_blocks\.1\.', 'backbone.fast_path.conv1.'),
    (r'^blocks\.0\.multipathway_fusion\.', 'backbone.slow_path.conv1_lateral.'),
    (r'^blocks\.(\d)\.multipathway_blocks\.0\.', r'backbone.slow_path.layer\1.'),
    (r'^blocks\.(\d)\.multipathway_blocks\.1\.', r'backbone.fast_path.layer\1.'),
    (r'^blocks\.(\d)\.multipathway_fusion\.', r'backbone.slow_path.layer\1_lateral.'),
    (r'^blocks\.6\.proj\.', 'cls_head.fc_cls.'),
    (r'\.res_blocks\.', '.'),
    (r'\.branch1_(conv|norm)\.', r'.downsample.\1.'),
    (r'\.branch2\.(conv|norm)_a\.', r'.conv1.\1.'),
    (r'\.branch2\.(conv|norm)_b\.', r'.conv2.\1.'),
    (r'\.branch2\.(conv|norm)_c\.', r'.conv3.\1.'),
    (r'\.conv_fast_to_slow\.', '.conv.'),
    (r'\.norm\.', '.bn.'),
)


def convert(published: StateDict) -> StateDict:
    """Rename the keys of a PyTorchVideo SlowFast to those of ``Recognizer3D``.

    The tensors stay as they are, but for the classifier's columns: the published head puts the
    slow features before the fast ones, MMAction2's the fast ones first.

    Args:
        published: Parameters and buffers as published.

    Returns:
        The tensors under the new keys.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ.
    """
    converted = {_rename(key): value for key, value in published.items()}
    expected = _expected(converted)
    check_against(converted, expected)
    classifier = converted['cls_head.fc_cls.weight']  # (K, 2048 + 256)
    fast = expected['backbone.fast_path.layer4.0.conv3.conv.weight'].shape[0]
    converted['cls_head.fc_cls.weight'] = torch.cat(
        [classifier[:, -fast:], classifier[:, :-fast]], dim=1
    )
    return converted


def architecture(converted: StateDict) -> str:
    """Identify the model: by the depth of res4, and whether all of it is temporal.

    Args:
        converted: Parameters under the new keys.

    Returns:
        The name of a file in ``configs/_base_/recognizers``.
    """
    last_of_res4 = converted.get('backbone.slow_path.layer3.22.conv1.conv.weight')
    if last_of_res4 is None:
        return 'slowfast_r50_8x8'
    return 'slowfast_r101_8x8' if last_of_res4.shape[2] == 3 else 'slowfast_r101_16x8'


def _rename(key: str) -> str:
    for pattern, replacement in NAMES:
        key = re.sub(pattern, replacement, key)
    return key


def _expected(converted: StateDict) -> StateDict:
    cfg = Config.fromfile(RECOGNIZERS / f'{architecture(converted)}.py').model
    cfg.cls_head.num_classes = len(converted.get('cls_head.fc_cls.bias', ()))
    init_default_scope('mmaction')
    with torch.device('meta'):
        return MODELS.build(cfg).state_dict()


def main() -> None:
    """Convert the file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='published checkpoint')
    parser.add_argument('target', type=Path, help='where to write the converted one')
    args = parser.parse_args()
    save_checkpoint(convert(load_state_dict(args.source, 'model_state')), args.target)
    print(f'Wrote {args.target}')


if __name__ == '__main__':
    main()
