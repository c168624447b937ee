"""A frozen 2D backbone that takes frames, or their stored features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated

import torch
from mmengine.config import ConfigDict
from mmengine.model import BaseModule
from torch import Tensor

from mmaction_kd.models.backbones.frame_vectors import vectors_from
from mmaction_kd.options import Positive, Range, checked_options
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.fingerprint import weights_hash

TAG_SIZE = 4
"""Channels of a stored feature that hold the tag of its encoder: 64 bits."""


@MODELS.register_module()
class FrozenFrameEncoder(BaseModule):
    """A 2D backbone that is not trained, as the ``spatial_backbone`` of VTN or TemporalConvNet.

    Its features can be computed once and stored
    (:class:`~mmaction_kd.datasets.transforms.LoadFrameFeatures`). Its input is frames, as in
    prediction, or stored features, as in training. A stored feature ends with a tag, 64 bits of
    :attr:`fingerprint`, and is refused if the weights, the backbone or the normalisation differ.

    It normalises frames itself, so the data preprocessor of its recognizer must have neither
    ``mean`` nor ``std``. It is always in eval mode. Its weights are part of the checkpoint of its
    recognizer, so testing needs no other file.

    Args:
        backbone: config of any 2D backbone, with its weights as ``init_cfg``.
        mean: mean of each channel of the frames in RGB order, in [0, 255].
        std: standard deviation of each channel, above 0.
        init_cfg: MMEngine's; the weights are those of ``backbone``.

    Raises:
        ValueError: ``mean`` or ``std`` are not three numbers.
    """

    @checked_options
    def __init__(
        self,
        backbone: dict,
        mean: Sequence[Annotated[float, Range(0, 255)]],
        std: Sequence[Positive],
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if len(mean) != 3 or len(std) != 3:
            raise ValueError(
                'FrozenFrameEncoder: mean and std must be three numbers each, got '
                f'mean={list(mean)}, std={list(std)}.'
            )
        self.register_buffer('mean', torch.tensor(mean).float().view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).float().view(3, 1, 1), persistent=False)
        self.backbone = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.width = vectors_from(self.backbone, 'FrozenFrameEncoder')
        plain = ConfigDict(backbone).to_dict()
        plain.pop('init_cfg', None)  # the weights matter, not where they come from
        settings = [plain, list(map(float, mean)), list(map(float, std))]
        self._settings = json.dumps(settings, sort_keys=True, default=str)
        self._fingerprint = ''
        self.train(self.training)

    def train(self, mode: bool = True) -> FrozenFrameEncoder:
        """Stay in eval mode. The next fingerprint is computed anew, as weights may have changed."""
        self.training = mode
        self.backbone.train(False)
        self._fingerprint = ''
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights, the backbone's config and the normalisation, in hex."""
        if not self._fingerprint:
            text = f'{self._settings}\n{weights_hash(self.backbone)}'
            self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return self._fingerprint

    def tag(self) -> Tensor:
        """Return the first 64 bits of :attr:`fingerprint` as integers below 2^16, (4,), float32."""
        words = [self.fingerprint[4 * i : 4 * i + 4] for i in range(TAG_SIZE)]
        return torch.tensor([float(int(word, 16)) for word in words])

    @torch.no_grad()
    def features_to_store(self, frames: Tensor) -> Tensor:
        """Compute tagged features of RGB frames, (B, 3, H, W) in [0, 255]: (B, D + 4), float32."""
        feats = self(frames).float()
        return torch.cat([feats, self.tag().to(feats).expand(len(feats), -1)], 1)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """Encode frames, or unpack stored features.

        Args:
            frames: RGB in [0, 255], (B, 3, H, W), or stored features, (B, D + 4, 1, 1).

        Returns:
            (B, D).

        Raises:
            ValueError: the input is neither, or holds features of another encoder.
        """
        if frames.shape[1] == 3:
            return self.backbone((frames - self.mean) / self.std)
        if frames.shape[1:] != (self.width + TAG_SIZE, 1, 1):
            raise ValueError(
                'FrozenFrameEncoder: its input must be frames (B, 3, H, W) or stored features '
                f'(B, {self.width + TAG_SIZE}, 1, 1), got {tuple(frames.shape)}; features of '
                'another backbone have another width.'
            )
        feats, tags = frames.flatten(1).split([self.width, TAG_SIZE], 1)
        if not (frames.is_meta or (tags == self.tag().to(tags)).all()):
            raise ValueError(
                'FrozenFrameEncoder: stored features must be those of this encoder, got those of '
                'another: other weights, another backbone or another normalisation; give '
                "LoadFrameFeatures the model's own encoder, and the weights of its checkpoint."
            )
        return feats
