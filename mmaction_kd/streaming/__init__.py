"""Recognizers on untrimmed videos and live streams."""

from mmaction_kd.streaming.frame_source import FrameSource, LiveFrames, open_source
from mmaction_kd.streaming.segments import Segment, SegmentMerger, segment_f1
from mmaction_kd.streaming.stream_recognizer import Gap, WindowAnswer, WindowPlan, recognize_stream
from mmaction_kd.streaming.stream_record import StreamRecord

__all__ = [
    'FrameSource',
    'Gap',
    'LiveFrames',
    'Segment',
    'SegmentMerger',
    'StreamRecord',
    'WindowAnswer',
    'WindowPlan',
    'open_source',
    'recognize_stream',
    'segment_f1',
]
