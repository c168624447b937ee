"""Beyond the paper: MBD with MViTv2-S for the global pathway, from MMAction2's zoo.

    tools/dist_train.sh configs/mbd/pathways/r2plus1d_mvit_k400.py 8

Its clips are 16 frames, 4 apart. Expect what the main config logs.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    global_pathway=dict(
        _delete_=True,
        config='mmaction::recognition/mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/mvit/'
        'mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb/'
        'mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb_20230201-23284ff3.pth',
        data_preprocessor=dict(blending=None),  # it would mix the videos of one pathway alone
        test_cfg=dict(max_testing_views=5),  # of 30: all at once are too many
    ),
    features=dict(  # vectors: its tokens are places and time steps together
        local_pathway=dict(tokens='mean'),
        global_pathway=dict(path='backbone.blocks.7.norm1', tokens='mean'),
    ),
)


def sampled(pipeline):
    """For the global pathway 16 frames 4 apart."""
    pipeline[0]['pathways']['global_pathway'][1].update(clip_len=16, frame_interval=4)
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# max_testing_views takes one video at a time.
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
