"""The videos of tools/data/make_study_videos.py, by frozen features of every frame.

Of EfficientNet-Lite0 up to its stage of 40 channels, at the size of the videos.
"""

small_encoder = dict(
    type='mmaction_kd.FrozenFrameEncoder',
    backbone=dict(
        type='mmpretrain.TIMMBackbone',
        model_name='tf_efficientnet_lite0',
        features_only=True,
        out_indices=[2],
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/efficientnet_lite0.pth'),
    ),
    mean=[127, 127, 127],
    std=[128, 128, 128],
)
small_features = dict(
    type='mmaction_kd.LoadFrameFeatures',
    encoder=small_encoder,
    steps=[dict(type='DecordInit'), dict(type='DecordDecode')],
    folder='work_dirs/frame_features',
)
study_data = dict(ann_file='data/study/train_0.txt', data_prefix=dict(video='data/study/videos'))
study_test_data = dict(study_data, ann_file='data/study/test.txt')
