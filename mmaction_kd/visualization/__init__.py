"""Pictures of a prediction: input frames, Grad-CAM, attention and scores of one video."""

from mmaction_kd.visualization.explain_video import VideoPicture, explain_video
from mmaction_kd.visualization.filmstrip import figure_pixels, filmstrip_figure, png_bytes
from mmaction_kd.visualization.frame_attention import cls_row, record_cls_rows
from mmaction_kd.visualization.grad_cam import grad_cam, last_map_layer
from mmaction_kd.visualization.picture_name import picture_name
from mmaction_kd.visualization.shown_frames import ShownClip, keep_origin, shown_clip

__all__ = [
    'ShownClip',
    'VideoPicture',
    'cls_row',
    'explain_video',
    'figure_pixels',
    'filmstrip_figure',
    'grad_cam',
    'keep_origin',
    'last_map_layer',
    'picture_name',
    'png_bytes',
    'record_cls_rows',
    'shown_clip',
]
