"""Convert a published R(2+1)D-50 of 3D-ResNets-PyTorch to a ``Recognizer3D`` of MMAction2.

    python tools/model_converters/kenshohara_r2plus1d50.py r2p1d50_K_200ep.pth r2plus1d50_k700.pth

The result has the keys of ``Recognizer3D(backbone=dict(type='mmaction_kd.R2Plus1d50'),
cls_head=dict(type='I3DHead', num_classes=K, in_channels=2048))``, with the K of the checkpoint.
"""

import argparse
import re
from pathlib import Path

import torch
from checkpoint_io import StateDict, check_against, load_state_dict, save_checkpoint

from mmaction_kd.models.backbones import R2Plus1d50


def convert(published: StateDict) -> StateDict:
    """Rename the keys of 3D-ResNets to those of ``Recognizer3D`` with ``R2Plus1d50``.

    ``layer1.0.conv2_s`` becomes ``backbone.layer1.0.conv2.conv_s``, ``fc`` becomes
    ``cls_head.fc_cls``; the tensors stay as they are.

    Args:
        published: Parameters and buffers as published.

    Returns:
        The same tensors under the new keys.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ.
    """
    converted = {_rename(key): value for key, value in published.items()}
    with torch.device('meta'):
        expected = {f'backbone.{key}': value for key, value in R2Plus1d50().state_dict().items()}
    classes = len(converted.get('cls_head.fc_cls.bias', ()))
    expected['cls_head.fc_cls.weight'] = torch.empty(classes, 2048, device='meta')
    expected['cls_head.fc_cls.bias'] = torch.empty(classes, device='meta')
    check_against(converted, expected)
    return converted


def _rename(key: str) -> str:
    if key.startswith('fc.'):
        return f'cls_head.fc_cls.{key.removeprefix("fc.")}'
    return 'backbone.' + re.sub(r'(conv|bn)(\d)_([st])\.', r'conv\2.\1_\3.', key)


def main() -> None:
    """Convert the file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='published checkpoint')
    parser.add_argument('target', type=Path, help='where to write the converted one')
    args = parser.parse_args()
    save_checkpoint(convert(load_state_dict(args.source, 'state_dict')), args.target)
    print(f'Wrote {args.target}')


if __name__ == '__main__':
    main()
