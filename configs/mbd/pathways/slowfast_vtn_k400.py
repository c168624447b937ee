"""Beyond the paper: MBD with SlowFast R50 8x8 for the local pathway, from MMAction2's zoo.

    tools/dist_train.sh configs/mbd/pathways/slowfast_vtn_k400.py 8

Its clips are 32 frames, 2 apart, in the global pathway's size. Expect what the main config logs.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb.py',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/'
        'slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb/'
        'slowfast_r50_8xb8-8x8x1-256e_kinetics400-rgb_20220818-1cb6dfc8.pth',
        test_cfg=dict(max_testing_views=5),  # of 30: all at once are too many
    ),
    features=dict(local_pathway=dict(path='backbone.slow_path.layer2')),
)


def sampled(pipeline):
    """For the local pathway the crops of the global one, 32 frames 2 apart."""
    pathways = pipeline[0]['pathways']
    steps = [dict(step) for step in pathways['global_pathway']]
    steps[1].update(clip_len=32, frame_interval=2)
    pathways['local_pathway'] = steps
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# max_testing_views takes one video at a time.
val_dataloader = dict(batch_size=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
