"""MBD configs small enough for a test: LayerNorm only, so that a step does not depend on ranks."""

import torch
from mmaction.structures import ActionDataSample

from mmaction_kd.registry import MODELS

CLASSES = 4
PREPROCESSOR = dict(
    type='ActionDataPreprocessor', mean=[110.0] * 3, std=[60.0] * 3, format_shape='NCTHW'
)


def pathway(width: int, frame_interval: int, drop_rate: float = 0.0) -> dict:
    """A VTN on a one-layer ViT as an ordinary recognizer config."""
    return dict(
        type='Recognizer3D',
        backbone=dict(
            type='mmaction_kd.VTN',
            spatial_backbone=dict(
                type='mmpretrain.VisionTransformer',
                arch=dict(
                    embed_dims=width, num_layers=2, num_heads=2, feedforward_channels=2 * width
                ),
                img_size=16,
                patch_size=8,
                out_type='cls_token',
            ),
            embed_dims=width,
            num_heads=2,
            num_layers=2,
            frame_interval=frame_interval,
            drop_rate=drop_rate,
            attn_drop_rate=drop_rate,
        ),
        cls_head=dict(
            type='mmaction_kd.VTNHead',
            num_classes=CLASSES,
            in_channels=width,
            dropout_ratio=drop_rate,
            average_clips='prob',
        ),
        data_preprocessor=PREPROCESSOR,
    )


def mbd_config(drop_rate: float = 0.0, **changes) -> dict:
    """An MBD model of two such pathways, 8 and 12 wide."""
    return dict(
        dict(
            type='mmaction_kd.MBDRecognizer',
            local_pathway=pathway(8, 1, drop_rate),
            global_pathway=pathway(12, 8, drop_rate),
            features=dict(
                local_pathway='backbone.temporal_encoder.layers.0',
                global_pathway='backbone.temporal_encoder.layers.0',
            ),
            distill_loss=dict(type='mmaction_kd.DominanceDistillLoss'),
            fusion_head=dict(type='mmaction_kd.AdaptiveFusionHead'),
        ),
        **changes,
    )


def build(**changes):
    """Build an MBD model as a config without any default scope does.

    Its weights are large enough for the scores to depend on the video.
    """
    torch.manual_seed(0)
    model = MODELS.build(mbd_config(**changes))
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=2 * weight[0].numel() ** -0.5)
    return model


def batch(num_videos: int = 3, views: int = 1, seed: int = 0, dtype=torch.float32):
    """Inputs of both pathways, (N, V, C, T, H, W), and samples."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        f'{name}_pathway': torch.randn(
            num_videos, views, 3, 4, 16, 16, generator=generator, dtype=dtype
        )
        for name in ('local', 'global')
    }
    labels = torch.randint(CLASSES, (num_videos,), generator=generator)
    return inputs, [ActionDataSample().set_gt_label(int(y)) for y in labels]
