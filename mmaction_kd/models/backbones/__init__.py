"""Backbones of the two pathways that MMAction2 does not have."""

from mmaction_kd.models.backbones.frozen_frame_encoder import FrozenFrameEncoder
from mmaction_kd.models.backbones.longformer import LongformerEncoder
from mmaction_kd.models.backbones.r2plus1d_50 import R2Plus1d50
from mmaction_kd.models.backbones.temporal_conv_net import TemporalConvNet
from mmaction_kd.models.backbones.vtn import VTN

__all__ = ['VTN', 'FrozenFrameEncoder', 'LongformerEncoder', 'R2Plus1d50', 'TemporalConvNet']
