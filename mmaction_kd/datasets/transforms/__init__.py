"""Transforms."""

from mmaction_kd.datasets.transforms.auto_video import AutoVideoDecode, AutoVideoInit
from mmaction_kd.datasets.transforms.chunked_decord_decode import ChunkedDecordDecode
from mmaction_kd.datasets.transforms.fitted_sample_frames import FittedSampleFrames
from mmaction_kd.datasets.transforms.load_frame_features import LoadFrameFeatures
from mmaction_kd.datasets.transforms.pathway_pipelines import PathwayPipelines
from mmaction_kd.datasets.transforms.resizing_decord_init import ResizingDecordInit
from mmaction_kd.datasets.transforms.sequential_opencv_decode import SequentialOpenCVDecode
from mmaction_kd.datasets.transforms.sequential_pyav_decode import (
    CountingPyAVInit,
    SequentialPyAVDecode,
)
from mmaction_kd.datasets.transforms.snap_clips import SnapClips
from mmaction_kd.datasets.transforms.snap_frames import SnapFrames
from mmaction_kd.datasets.transforms.uniform_three_crop import UniformThreeCrop

__all__ = [
    'AutoVideoDecode',
    'AutoVideoInit',
    'ChunkedDecordDecode',
    'CountingPyAVInit',
    'FittedSampleFrames',
    'LoadFrameFeatures',
    'PathwayPipelines',
    'ResizingDecordInit',
    'SequentialOpenCVDecode',
    'SequentialPyAVDecode',
    'SnapClips',
    'SnapFrames',
    'UniformThreeCrop',
]
