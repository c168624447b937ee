"""VTN: a 2D backbone encodes each frame, a Longformer relates the frames in time."""

from typing import Any, Literal

import torch
from mmengine.model import BaseModule
from mmpretrain.models.backbones import VisionTransformer
from torch import Tensor, nn

from mmaction_kd.models.backbones.cls_only_vit import narrow_last_block
from mmaction_kd.models.backbones.frame_memory import FrameMemory
from mmaction_kd.models.backbones.frame_vectors import encode_clips, vectors_from
from mmaction_kd.models.backbones.longformer import LongformerEncoder
from mmaction_kd.options import Count, checked_options
from mmaction_kd.registry import MODELS

VIT_B16 = dict(
    type='mmpretrain.VisionTransformer', arch='b', img_size=224, patch_size=16, out_type='cls_token'
)


@MODELS.register_module()
class VTN(BaseModule):
    r"""Video Transformer Network: the global pathway of MBD.

    .. math:: \text{feature} = \text{Longformer}([\text{CLS}, \phi(x_1), \dots, \phi(x_T)])_0

    with the frames :math:`x_t` and the spatial backbone :math:`\phi`. A ViT gives its [CLS], a
    convolutional network the mean of its last feature map.

    Features for distillation, by module path: ``spatial_backbone`` (N V T, width of the
    backbone), ``frame_projection`` (N V, T, D), ``temporal_encoder.layers.<i>`` (N V, 1 + T, D;
    the last one (N V, 1, D) unless ``cls_only=False``), [CLS] always first.

    In a test (eval mode, without gradients) the clips of a video overlap, and a short video is
    looped. The spatial backbone then encodes each distinct frame only once
    (:func:`~mmaction_kd.models.backbones.distinct_frames.distinct_frames`); its rows are those of
    the distinct frames. Only views of one call share frames, so bound the memory with
    ``frames_at_once``, not with ``max_testing_views``.

    Source: Neimark et al., Video Transformer Network, 2021; the paper MBD, section 2.1.
    Differs from VTN: positions are relative to the clip. VTN uses frame indices of the complete
    video in its full-video test, which exceed those of training.

    Args:
        spatial_backbone: config of a 2D backbone of mmpretrain or MMAction2. None: ViT-B/16.
        embed_dims: width D of the temporal encoder. Where the backbone has another width, a
            linear projection leads to it (ResNet-50's 2048 is not divisible by 12 heads).
        position_ids: row of the position table for each frame. 'order': 0, 1, ..., T - 1, the
            order of the tokens, so that fine-tuning at another stride uses the pre-trained rows.
            'frame_index': 0, ``frame_interval``, 2 ``frame_interval``, ..., the distance from the
            start of the clip, with which the published VTN was trained.
        frame_interval: frames of the video from one input frame to the next, as in
            ``SampleFrames``; used by 'frame_index' only.
        cls_only: the last block of a ViT and of the temporal encoder compute only what the
            output depends on. False: they output all tokens, for hooks.
        share_frames: whether a test encodes each distinct frame of several clips only once.
        frames_at_once: batch size of the spatial backbone in a test, in frames, at least 1. None:
            all; required under FSDP, where all ranks must call it equally often.
        init_cfg: MMEngine's; a pretrained spatial backbone is named in ``spatial_backbone``.
        **encoder: ``num_layers``, ``num_heads``, ``window_size``, ``drop_rate``,
            ``attn_drop_rate`` and ``max_positions`` of the temporal encoder, a
            :class:`~mmaction_kd.models.backbones.LongformerEncoder`.

    Example:
        >>> import torch
        >>> tiny = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
        >>> vit = dict(type='mmpretrain.VisionTransformer', arch=tiny, img_size=32)
        >>> vtn = VTN(vit, embed_dims=24, num_heads=2)
        >>> vtn(torch.rand(2, 3, 8, 32, 32)).shape
        torch.Size([2, 24])
    """

    @checked_options
    def __init__(
        self,
        spatial_backbone: dict | None = None,
        embed_dims: int = 768,
        position_ids: Literal['order', 'frame_index'] = 'order',
        frame_interval: Count = 8,
        cls_only: bool = True,
        share_frames: bool = True,
        frames_at_once: Count | None = None,
        init_cfg: dict | list[dict] | None = None,
        **encoder: Any,
    ) -> None:
        super().__init__(init_cfg)
        self.frame_interval = frame_interval
        self.position_step = frame_interval if position_ids == 'frame_index' else 1
        self.share_frames = share_frames
        self.frames_at_once = frames_at_once
        self.frame_memory: FrameMemory | None = None  # set by remember_frames
        self.temporal_encoder = LongformerEncoder(embed_dims, cls_only=cls_only, **encoder)
        self.spatial_backbone = MODELS.build(spatial_backbone or VIT_B16)
        width = vectors_from(self.spatial_backbone, 'VTN')
        if cls_only and isinstance(self.spatial_backbone, VisionTransformer):
            narrow_last_block(self.spatial_backbone)

        self.frame_projection = (
            nn.Identity() if width == embed_dims else nn.Linear(width, embed_dims)
        )
        self.cls_token = nn.Parameter(torch.empty(1, 1, embed_dims))
        nn.init.normal_(self.cls_token, std=0.02)  # as the rest of the temporal encoder

    def forward(self, imgs: Tensor) -> Tensor:
        """Encode clips.

        Args:
            imgs: normalised clips, (N V, C, T, H, W).

        Returns:
            The feature of each clip, (N V, D).
        """
        clips, frames = imgs.shape[0], imgs.shape[2]
        frame_inds = self.position_step * torch.arange(frames, device=imgs.device)
        vectors = encode_clips(
            self.spatial_backbone,
            imgs,
            self.training,
            self.share_frames,
            self.frames_at_once,
            self.frame_memory,
        )
        feats = self.frame_projection(vectors)  # (N V, T, D)
        tokens = torch.cat([self.cls_token.expand(clips, -1, -1), feats], 1)
        return self.temporal_encoder(tokens, frame_inds.expand(clips, -1))[:, 0]
