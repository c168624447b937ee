"""Where in its frames a network sees a class: Grad-CAM.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, equations (1) and (2).

MMAction2's ``mmaction.utils.gradcam_utils.GradCAM`` runs on today's versions, but takes only a
Recognizer2D or Recognizer3D, differentiates all views at once, leaves its hooks and
``average_clips='score'`` on the model, and has no way to clips whose backbone is two-dimensional.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmaction_kd.models.backbones.vtn import VTN
from mmaction_kd.models.submodels.outputs import find_module, score_views


def grad_cam(recognizer: BaseModel, clip: Tensor, target_layer: str, class_index: int) -> Tensor:
    """Localise a class in one view.

    With the feature maps A of the layer, the logit y of the class, and the mean over the positions
    p (of all frames) of the maps::

        w_c = mean_p ∂y/∂A_c(p)                    (1)
        L = ReLU(Σ_c w_c A_c)                      (2)

    Source: Selvaraju et al. 2017. Differs from the paper: positions have a time, too.

    Args:
        recognizer: an MMAction2 recognizer; nothing of it is changed.
        clip: one normalised view, (1, 1, C, T, H, W), or (1, T, C, H, W) for a Recognizer2D.
        target_layer: path of a module that puts out maps, (1, C, T', h, w), or (T', C, h, w) where
            a frame is an image to it.
        class_index: the class.

    Returns:
        L, interpolated to (T, H, W); at least 0, in no unit.

    Raises:
        ValueError: there is no such module, it puts out no maps, or the logit does not depend on
            them.
    """
    kept: list[Tensor] = []

    def cut(_module: nn.Module, _args: tuple, output: object) -> object:
        """Start the graph here: earlier layers need no gradient."""
        single = isinstance(output, (tuple, list)) and len(output) == 1
        maps = output[0] if single else output  # type: ignore[index]
        if not isinstance(maps, Tensor) or maps.dim() not in (4, 5):
            got = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise ValueError(
                f"Grad-CAM: '{target_layer}' must put out feature maps (rows, C, [T,] H, W), got "
                f'{got}; name a convolutional stage, such as backbone.layer4.'
            )
        kept.append(maps.detach().requires_grad_())
        usable = kept[-1].clone()  # the next module may write into it
        return type(output)([usable]) if single else usable  # type: ignore[call-arg]

    handle = find_module(recognizer, target_layer).register_forward_hook(cut)
    was_training = recognizer.training
    recognizer.eval()
    try:
        with torch.enable_grad():
            logits = score_views(recognizer, clip, test_mode=True).logits  # (1, 1, K)
            grads = (
                torch.autograd.grad(logits[0, :, class_index].sum(), kept, allow_unused=True)
                if len(kept) == 1
                else (None,)
            )
    finally:
        handle.remove()
        recognizer.train(was_training)
    if grads[0] is None:
        raise ValueError(
            f"Grad-CAM: the score must depend on '{target_layer}', which must run once, got "
            f'{len(kept)} runs; name a layer on the way to the head.'
        )
    maps, grad = (_in_time(values) for values in (kept[0].detach(), grads[0]))
    weights = grad.mean((2, 3, 4), keepdim=True)
    localised = (weights * maps).sum(1, keepdim=True).relu()  # (1, 1, T', h, w)
    frames = clip.shape[1] if clip.dim() == 5 else clip.shape[3]
    size = (frames, *clip.shape[-2:])
    return F.interpolate(localised.float(), size, mode='trilinear', align_corners=False)[0, 0]


def _in_time(maps: Tensor) -> Tensor:
    """(1, C, T', h, w) as it is; (T', C, h, w) -> (1, C, T', h, w)."""
    return maps if maps.dim() == 5 else maps.transpose(0, 1)[None]


def last_map_layer(recognizer: BaseModel, clip: Tensor) -> str | None:
    """Find the layer for Grad-CAM by one forward pass.

    It is the module of the backbone with the most channels, among such the last, that puts out maps
    of the shape of a frame: ``layer4`` of a ResNet, ``slow_path.layer4`` of a SlowFast, of a VTN
    that of its spatial backbone.

    Args:
        recognizer: an MMAction2 recognizer.
        clip: as in :func:`grad_cam`.

    Returns:
        Its path, or None where there is none, or tokens take the place of maps later (a ViT).
    """
    root = 'backbone.spatial_backbone' if isinstance(recognizer.backbone, VTN) else 'backbone'
    height, width = clip.shape[-2:]
    found: list[tuple[str, int]] = []  # path and channels, in the order in which they end
    last_is_tokens = False

    def record(path: str, output: object) -> None:
        nonlocal last_is_tokens
        if not isinstance(output, Tensor):
            return
        if output.dim() == 3 and output.shape[1] > 1:
            last_is_tokens = True
        if output.dim() in (4, 5):
            h, w = output.shape[-2:]
            like_a_frame = h <= height and w <= width
            if h * w > 1 and like_a_frame and abs(h * width - w * height) <= max(height, width):
                found.append((path, output.shape[1]))
                last_is_tokens = False

    handles = [
        module.register_forward_hook(
            lambda _module, _args, output, path=f'{root}.{name}': record(path, output)
        )
        for name, module in find_module(recognizer, root).named_modules()
        if name
    ]
    was_training = recognizer.training
    recognizer.eval()
    try:
        with torch.no_grad():
            score_views(recognizer, clip, test_mode=True)
    finally:
        for handle in handles:
            handle.remove()
        recognizer.train(was_training)
    if not found or last_is_tokens:
        return None
    most = max(channels for _, channels in found)
    return [path for path, channels in found if channels == most][-1]
