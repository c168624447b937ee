"""Convert a published VTN, or an ImageNet ViT-B/16 of timm, to a ``Recognizer3D`` of MMAction2.

    python tools/model_converters/vtn.py VTN_VIT_B_KINETICS.pyth vtn_k400.pth
    python tools/model_converters/vtn.py vit_base_patch16_224.pth vit_b16_in21k.pth

A VTN gives the keys of ``Recognizer3D(backbone=dict(type='mmaction_kd.VTN',
position_ids='frame_index'), cls_head=dict(type='mmaction_kd.VTNHead', num_classes=K))``. Its
position table was trained at the frames' indices, about 8 apart: with the default ``position_ids``
all but two of the rows that a clip takes were never trained. It was trained on RGB frames with mean
0.45 x 255 and std 0.225 x 255. A ViT gives only ``backbone.spatial_backbone.*``, for ``load_from``,
or for ``spatial_backbone=dict(..., init_cfg=dict(type='Pretrained', checkpoint=...,
prefix='backbone.spatial_backbone.'))``. Its classifier is dropped.
"""

import argparse
import re
from pathlib import Path

import torch
from checkpoint_io import StateDict, check_against, load_state_dict, save_checkpoint

from mmaction_kd.models.backbones import VTN
from mmaction_kd.models.heads import VTNHead

# Applied in this order, each once; timm's names (ViT), then Hugging Face's (Longformer).
VIT_NAMES = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^blocks\.(\d+)\.norm(\d)\.', r'layers.\1.ln\2.'),
    (r'^blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (r'^blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (r'^blocks\.', 'layers.'),
    (r'^norm\.', 'ln1.'),
)
LONGFORMER_NAMES = (
    (r'^embeddings\.position_embeddings\.', 'embeddings.positions.'),
    (r'^embeddings\.token_type_embeddings\.', 'embeddings.types.'),
    (r'^embeddings\.LayerNorm\.', 'embeddings.norm.'),
    (r'^encoder\.layer\.(\d+)\.attention\.self\.', r'layers.\1.attn.'),
    (r'^encoder\.layer\.(\d+)\.attention\.output\.dense\.', r'layers.\1.attn.out.'),
    (r'^encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.', r'layers.\1.attn_norm.'),
    (r'^encoder\.layer\.(\d+)\.intermediate\.dense\.', r'layers.\1.ffn.0.'),
    (r'^encoder\.layer\.(\d+)\.output\.dense\.', r'layers.\1.ffn.2.'),
    (r'^encoder\.layer\.(\d+)\.output\.LayerNorm\.', r'layers.\1.ffn_norm.'),
)
HEAD_NAMES = ((r'^0\.', 'norm.'), (r'^1\.', 'fc.'), (r'^4\.', 'fc_cls.'))

# published prefix -> (prefix in Recognizer3D, names below it)
PARTS = {
    'backbone.': ('backbone.spatial_backbone.', VIT_NAMES),
    'temporal_encoder.': ('backbone.temporal_encoder.', LONGFORMER_NAMES),
    'mlp_head.': ('cls_head.', HEAD_NAMES),
    'cls_token': ('backbone.cls_token', ()),
}
BUFFERS = ('temporal_encoder.embeddings.position_ids',)  # older transformers stored it


def convert_vtn(published: StateDict) -> StateDict:
    """Rename the keys of a VTN (ViT-B/16, three temporal layers) to those of ``Recognizer3D``.

    Args:
        published: Parameters as published.

    Returns:
        The same tensors under the new keys.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ.
    """
    converted = {}
    for key, value in published.items():
        if key in BUFFERS:
            continue
        old = next((prefix for prefix in PARTS if key.startswith(prefix)), '')
        new, names = PARTS.get(old, ('', ()))
        converted[new + _rename(key.removeprefix(old), names)] = value
    classes = len(converted.get('cls_head.fc_cls.bias', ()))
    check_against(converted, _expected(classes))
    return converted


def convert_vit(published: StateDict) -> StateDict:
    """Rename the keys of timm's ViT-B/16 to those of the spatial backbone of ``VTN``.

    Args:
        published: Parameters as published; ``head.*`` is dropped.

    Returns:
        The same tensors under the new keys.

    Raises:
        ValueError: If keys are missing or left over, or shapes differ.
    """
    prefix, names = PARTS['backbone.']
    converted = {
        prefix + _rename(key, names): value
        for key, value in published.items()
        if not key.startswith('head.')
    }
    expected = _expected(num_classes=1)
    check_against(converted, {key: expected[key] for key in expected if key.startswith(prefix)})
    return converted


def _rename(key: str, names: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in names:
        key = re.sub(pattern, replacement, key)
    return key


def _expected(num_classes: int) -> StateDict:
    with torch.device('meta'):
        parts = {'backbone': VTN(), 'cls_head': VTNHead(num_classes)}
    return {
        f'{name}.{key}': value
        for name, part in parts.items()
        for key, value in part.state_dict().items()
    }


def main() -> None:
    """Convert the file named on the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', type=Path, help='published checkpoint of a VTN or a ViT-B/16')
    parser.add_argument('target', type=Path, help='where to write the converted one')
    args = parser.parse_args()
    published = load_state_dict(args.source, 'model_state', 'state_dict', 'model')
    is_vtn = any(key.startswith('temporal_encoder.') for key in published)
    convert = convert_vtn if is_vtn else convert_vit
    save_checkpoint(convert(published), args.target)
    print(f'Wrote {args.target}')


if __name__ == '__main__':
    main()
