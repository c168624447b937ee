"""Frozen EfficientNet-Lite0 features of every third frame at 128 px, computed once and stored.

The full frame is resized to 128 x 128 px: what happens may be anywhere in it. No augmentation
but that in time: features of a frame are the same in every epoch. A prediction from a plain video
decodes its frames and has the same steps behind.
"""

encoder = dict(
    type='mmaction_kd.FrozenFrameEncoder',
    backbone=dict(
        type='mmpretrain.TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/efficientnet_lite0.pth'),
    ),
    mean=[127, 127, 127],
    std=[128, 128, 128],
)
frame_interval = 3
resize = dict(type='Resize', scale=(128, 128), keep_ratio=False, interpolation='area')
snap = dict(type='mmaction_kd.SnapFrames', frame_interval=frame_interval)
features = dict(
    type='mmaction_kd.LoadFrameFeatures',
    encoder=encoder,
    steps=[dict(type='DecordInit'), dict(type='DecordDecode'), resize],
    folder='work_dirs/frame_features',
    frame_interval=frame_interval,
)
