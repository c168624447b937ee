"""Beyond the paper: MBD with X3D-M for the local pathway, from MMAction2's zoo.

    tools/dist_train.sh configs/mbd/pathways/x3d_vtn_k400.py 8

Its clips are 16 frames, 5 apart, in the global pathway's size. Expect what the main config logs.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction::recognition/x3d/x3d_m_16x5x1_facebook-kinetics400-rgb.py',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/'
        'facebook/'
        'x3d_m_16x5x1_facebook-kinetics400-rgb_20201027-3f42382a.pth',
    ),
)


def sampled(pipeline):
    """For the local pathway the crops of the global one, 16 frames 5 apart."""
    pathways = pipeline[0]['pathways']
    steps = [dict(step) for step in pathways['global_pathway']]
    steps[1].update(clip_len=16, frame_interval=5)
    pathways['local_pathway'] = steps
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
