"""Beyond the paper: MBD with Video Swin-T for the global pathway, from MMAction2's zoo.

    tools/dist_train.sh configs/mbd/pathways/r2plus1d_swin_k400.py 8

Its clips are 32 frames, 2 apart. Expect what the main config logs.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    global_pathway=dict(
        _delete_=True,
        config='mmaction::recognition/swin/'
        'swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/swin/'
        'swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb/'
        'swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth',
        test_cfg=dict(max_testing_views=5),  # of 30: all at once are too many
    ),
    features=dict(  # vectors: its map has the channels last
        local_pathway=dict(tokens='mean'),
        global_pathway=dict(path='backbone.layers.1', tokens='places'),
    ),
)


def sampled(pipeline):
    """For the global pathway 32 frames 2 apart."""
    pipeline[0]['pathways']['global_pathway'][1].update(clip_len=32, frame_interval=2)
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# max_testing_views takes one video at a time.
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
