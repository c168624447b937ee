"""R(2+1)D-50: a ResNet-50 whose 3D convolutions are factorised into space and time."""

from collections import OrderedDict
from typing import Annotated

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_kd.options import Range, checked_options
from mmaction_kd.registry import MODELS


def mid_channels(in_channels: int, out_channels: int, kernel_t: int, kernel_s: int) -> int:
    r"""Compute the width between the two halves that keeps the parameters of the 3D convolution.

    .. math:: M = \lfloor \frac{t d^2 N_{in} N_{out}}{d^2 N_{in} + t N_{out}} \rfloor

    Source: Tran et al., A Closer Look at Spatiotemporal Convolutions, 2018, section 3.5.

    Args:
        in_channels: N_in.
        out_channels: N_out.
        kernel_t: temporal kernel size t, in frames.
        kernel_s: spatial kernel size d, in pixels.

    Returns:
        The number of channels M.
    """
    area = kernel_s**2
    full = kernel_t * area * in_channels * out_channels
    return full // (area * in_channels + kernel_t * out_channels)


class Conv2Plus1d(nn.Sequential):
    """A (1, d, d) convolution, then a (t, 1, 1) convolution, each with its BN and ReLU.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel_t: temporal kernel size t; odd.
        kernel_s: spatial kernel size d; odd.
        stride_t: temporal stride.
        stride_s: spatial stride.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_t: int,
        kernel_s: int,
        stride_t: int,
        stride_s: int,
    ) -> None:
        mid = mid_channels(in_channels, out_channels, kernel_t, kernel_s)
        super().__init__(
            OrderedDict(
                conv_s=_conv(in_channels, mid, (1, kernel_s, kernel_s), (1, stride_s, stride_s)),
                bn_s=nn.BatchNorm3d(mid),
                relu_s=nn.ReLU(inplace=True),
                conv_t=_conv(mid, out_channels, (kernel_t, 1, 1), (stride_t, 1, 1)),
                bn_t=nn.BatchNorm3d(out_channels),
                relu_t=nn.ReLU(inplace=True),
            )
        )


def _conv(c_in: int, c_out: int, kernel: tuple[int, ...], stride: tuple[int, ...]) -> nn.Conv3d:
    """A 3D convolution without bias, padded so that only its stride shrinks the map."""
    padding = tuple(size // 2 for size in kernel)
    return nn.Conv3d(c_in, c_out, kernel, stride, padding, bias=False)  # type: ignore[arg-type]


class Bottleneck2Plus1d(nn.Module):
    """1x1x1 -> (2+1)D -> 1x1x1, added to a shortcut; only the middle one is factorised.

    Args:
        in_channels: channels in.
        channels: channels of the middle; four times as many go out.
        stride: stride in space and in time.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv3d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels)
        self.conv2 = Conv2Plus1d(
            channels, channels, kernel_t=3, kernel_s=3, stride_t=stride, stride_s=stride
        )
        self.conv3 = nn.Conv3d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm3d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N V, C, T, H, W) -> (N V, 4 channels, T / stride, H / stride, W / stride)."""
        out = self.conv2(self.relu(self.bn1(self.conv1(x))))
        return self.relu(self.bn3(self.conv3(out)) + self.downsample(x))


@MODELS.register_module()
class R2Plus1d50(BaseModule):
    """R(2+1)D-50 of 3D-ResNets: the local pathway of MBD.

    ===========  =====================  ====================================
    part         for 16 x 112 x 112     layers
    ===========  =====================  ====================================
    ``conv1``    64 x 16 x 56 x 56      (1, 7, 7) stride 2, then (7, 1, 1)
    ``maxpool``  64 x 8 x 28 x 28       3 x 3 x 3, stride 2
    ``layer1``   256 x 8 x 28 x 28      3 bottlenecks
    ``layer2``   512 x 4 x 14 x 14      4 bottlenecks, stride 2
    ``layer3``   1024 x 2 x 7 x 7       6 bottlenecks, stride 2
    ``layer4``   2048 x 1 x 4 x 4       3 bottlenecks, stride 2
    ===========  =====================  ====================================

    Strides act in space and in time. MMAction2's ``ResNet2Plus1d`` of depth 50 is another network:
    it also factorises the 1x1x1 convolutions and keeps more frames.

    Source: Kataoka et al., Would Mega-scale Datasets Further Enhance Spatiotemporal 3D CNNs?,
    2020, and its code; the factorisation: Tran et al. 2018.

    Args:
        frozen_stages: freeze the stem and this many of the four layers (0: the stem alone,
            -1: nothing), with the statistics of their BN.
        norm_eval: freeze the statistics of every BN.
        init_cfg: MMEngine's. None: He initialisation by fan-out.

    Example:
        >>> import torch
        >>> R2Plus1d50()(torch.rand(1, 3, 16, 112, 112)).shape
        torch.Size([1, 2048, 1, 4, 4])
    """

    @checked_options
    def __init__(
        self,
        frozen_stages: Annotated[int, Range(-1, 4)] = -1,
        norm_eval: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or dict(type='Kaiming', layer='Conv3d'))
        self.frozen_stages, self.norm_eval = frozen_stages, norm_eval
        self.conv1 = Conv2Plus1d(3, 64, kernel_t=7, kernel_s=7, stride_t=1, stride_s=2)
        self.maxpool = nn.MaxPool3d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, blocks=3, stride=1)
        self.layer2 = _stage(256, 128, blocks=4, stride=2)
        self.layer3 = _stage(512, 256, blocks=6, stride=2)
        self.layer4 = _stage(1024, 512, blocks=3, stride=2)
        for module in self._frozen():
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(N V, 3, T, H, W) -> (N V, 2048, T / 16, H / 32, W / 32), sizes rounded up."""
        x = self.maxpool(self.conv1(x))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def train(self, mode: bool = True) -> 'R2Plus1d50':
        """Switch the mode; frozen stages and, with ``norm_eval``, every BN stay in eval mode."""
        super().train(mode)
        norms = [module for module in self.modules() if isinstance(module, _BATCH_NORM)]
        for module in self._frozen() + (norms if self.norm_eval else []):
            module.eval()
        return self

    def _frozen(self) -> list[nn.Module]:
        stages: list[nn.Module] = [self.conv1, self.layer1, self.layer2, self.layer3, self.layer4]
        return stages[: self.frozen_stages + 1]


_BATCH_NORM = nn.modules.batchnorm._BatchNorm  # BatchNorm3d, and SyncBatchNorm once converted


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck2Plus1d(in_channels, channels, stride)
    rest = (
        Bottleneck2Plus1d(channels * Bottleneck2Plus1d.expansion, channels, 1)
        for _ in range(blocks - 1)
    )
    return nn.Sequential(first, *rest)
