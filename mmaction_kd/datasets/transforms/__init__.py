"""Transforms."""

from mmaction_kd.datasets.transforms.auto_video import AutoVideoDecode, AutoVideoInit
from mmaction_kd.datasets.transforms.fitted_sample_frames import FittedSampleFrames
from mmaction_kd.datasets.transforms.forward_opencv_decode import ForwardOpenCVDecode
from mmaction_kd.datasets.transforms.forward_pyav_decode import CountingPyAVInit, ForwardPyAVDecode
from mmaction_kd.datasets.transforms.load_frame_features import LoadFrameFeatures
from mmaction_kd.datasets.transforms.partwise_decord_decode import PartwiseDecordDecode
from mmaction_kd.datasets.transforms.pathway_pipelines import PathwayPipelines
from mmaction_kd.datasets.transforms.shrinking_decord_init import ShrinkingDecordInit
from mmaction_kd.datasets.transforms.snap_clips import SnapClips
from mmaction_kd.datasets.transforms.snap_frames import SnapFrames
from mmaction_kd.datasets.transforms.uniform_three_crop import UniformThreeCrop

__all__ = [
    'AutoVideoDecode',
    'AutoVideoInit',
    'CountingPyAVInit',
    'FittedSampleFrames',
    'ForwardOpenCVDecode',
    'ForwardPyAVDecode',
    'LoadFrameFeatures',
    'PartwiseDecordDecode',
    'PathwayPipelines',
    'ShrinkingDecordInit',
    'SnapClips',
    'SnapFrames',
    'UniformThreeCrop',
]
