"""A temporal convolution over the features of frames: a small local pathway."""

from __future__ import annotations

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_kd.models.backbones.frame_memory import FrameMemory
from mmaction_kd.models.backbones.frame_vectors import encode_clips, vectors_from
from mmaction_kd.options import Count, Ratio, checked_options
from mmaction_kd.registry import MODELS


@MODELS.register_module()
class TemporalConvNet(BaseModule):
    r"""A 2D backbone per frame, residual convolutions over neighbouring frames.

    .. math:: x^0 = W \phi(\text{frames}), \quad
        x^{l+1} = x^l + \text{Dropout}(\text{ReLU}(\text{BN}(\text{conv}(x^l))))

    L layers of kernel k have a receptive field of 1 + L (k - 1) frames. The output is a map of
    1 x 1 positions, for the heads of 3D CNNs.

    Features for distillation, by module path: ``spatial_backbone`` (N V T, width of the backbone),
    ``layers.<i>`` (N V, D, T, 1, 1).

    Args:
        spatial_backbone: config of a 2D backbone, such as a frozen one
            (:class:`~mmaction_kd.models.backbones.FrozenFrameEncoder`).
        channels: width D of the convolutions.
        num_layers: L, at least 1.
        kernel_size: k, in frames; odd.
        drop_rate: probability of dropping a feature, before and in each layer.
        init_cfg: MMEngine's.

    Raises:
        ValueError: ``kernel_size`` is even.
    """

    @checked_options
    def __init__(
        self,
        spatial_backbone: dict,
        channels: Count = 256,
        num_layers: Count = 2,
        kernel_size: Count = 3,
        drop_rate: Ratio = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if kernel_size % 2 == 0:
            raise ValueError(
                f'TemporalConvNet: kernel_size must be odd, got {kernel_size}; the window is '
                'centred on a frame.'
            )
        self.frame_memory: FrameMemory | None = None  # set by remember_frames
        self.spatial_backbone = MODELS.build(spatial_backbone)
        width = vectors_from(self.spatial_backbone, 'TemporalConvNet')
        self.frame_projection = nn.Linear(width, channels)
        self.dropout = nn.Dropout(drop_rate)
        self.layers = nn.ModuleList(
            ResidualConv(channels, kernel_size, drop_rate) for _ in range(num_layers)
        )

    def forward(self, imgs: Tensor) -> Tensor:
        """Encode clips.

        Args:
            imgs: clips as the spatial backbone takes them, (N V, C, T, H, W).

        Returns:
            (N V, D, T, 1, 1).
        """
        vectors = encode_clips(self.spatial_backbone, imgs, self.training, memory=self.frame_memory)
        feats = self.frame_projection(self.dropout(vectors))  # (N V, T, D)
        x = feats.transpose(1, 2)[..., None, None]  # (N V, T, D) -> (N V, D, T, 1, 1)
        for layer in self.layers:
            x = layer(x)
        return x


class ResidualConv(nn.Module):
    """One layer, see :class:`TemporalConvNet`.

    Args:
        channels: D.
        kernel_size: frames, odd.
        drop_rate: probability of dropping a feature.
    """

    def __init__(self, channels: int, kernel_size: int, drop_rate: float) -> None:
        super().__init__()
        self.conv = ConvModule(
            channels,
            channels,
            (kernel_size, 1, 1),
            padding=(kernel_size // 2, 0, 0),
            conv_cfg=dict(type='Conv3d'),
            norm_cfg=dict(type='BN3d'),
        )
        self.dropout = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """(N V, D, T, 1, 1) -> (N V, D, T, 1, 1)."""
        return x + self.dropout(self.conv(x))
