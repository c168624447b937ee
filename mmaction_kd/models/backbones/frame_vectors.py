"""A 2D backbone as an encoder of the frames of clips: one vector a frame."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from mmaction_kd.models.backbones.distinct_frames import distinct_frames
from mmaction_kd.models.backbones.frame_memory import FrameMemory


def vectors_from(backbone: nn.Module, owner: str) -> int:
    """Make a 2D backbone return one vector an image: its last output, averaged over positions.

    A forward hook, not a wrapper, does it: the keys of the checkpoint stay those of the backbone.

    Args:
        backbone: takes images (B, 3, H, W).
        owner: the component that the user configures, for the error.

    Returns:
        Width D of the vectors, found with one small image.
    """
    backbone.register_forward_hook(functools.partial(_to_vectors, owner))
    training = backbone.training
    backbone.eval()
    with torch.no_grad():
        width = backbone(torch.zeros(1, 3, 64, 64)).shape[1]
    backbone.train(training)
    return width


def encode_clips(
    backbone: nn.Module,
    imgs: Tensor,
    training: bool,
    share_frames: bool = True,
    frames_at_once: int | None = None,
    memory: FrameMemory | None = None,
) -> Tensor:
    """Encode every frame of every clip.

    Args:
        backbone: prepared by :func:`vectors_from`.
        imgs: clips, (N V, C, T, H, W).
        training: training mode of the model. A test is eval mode without gradients.
        share_frames: whether a test encodes each distinct frame of several clips only once.
        frames_at_once: batch size of the backbone in a test, in frames. None: all.
        memory: cached vectors of earlier frames of a stream, used in a test.

    Returns:
        (N V, T, D).
    """
    clips, _, frames = imgs.shape[:3]
    images = imgs.transpose(1, 2).flatten(0, 1)  # (N V, C, T, H, W) -> (N V T, C, H, W)
    if training or torch.is_grad_enabled() or images.is_meta:
        vectors = backbone(images)
    else:
        share = share_frames and (clips > 1 or memory is not None)
        at_once = frames_at_once or len(images)
        vectors = _test_vectors(backbone, images, share, at_once, memory)
    return vectors.unflatten(0, (clips, frames))


def _test_vectors(
    backbone: nn.Module, images: Tensor, share: bool, at_once: int, memory: FrameMemory | None
) -> Tensor:
    """Encode ``at_once`` frames at a time: (B, C, H, W) -> (B, D)."""

    def encode(images: Tensor) -> Tensor:
        return torch.cat([backbone(some) for some in images.split(at_once)])

    if not share:
        return encode(images)
    first, place = distinct_frames(images)
    distinct = images[first]
    return (memory.vectors(distinct, encode) if memory else encode(distinct))[place]


def _to_vectors(owner: str, _module: nn.Module, _inputs: tuple, outputs: Tensor | tuple) -> Tensor:
    feats = outputs[-1] if isinstance(outputs, tuple) else outputs
    if feats.ndim not in (2, 4):
        raise ValueError(
            f'{owner}: spatial_backbone must give a vector (B, D) or a map (B, D, H, W) an image, '
            f"got {tuple(feats.shape)}; a ViT does so with out_type='cls_token' or 'avg_featmap'."
        )
    return feats.mean((2, 3)) if feats.ndim == 4 else feats
