"""Beyond the paper: MBD with TSM R50 for the local pathway, from MMAction2's zoo.

    tools/dist_train.sh configs/mbd/pathways/tsm_vtn_k400.py 8

Its clips are 8 frames, 8 apart, in the global pathway's size, one image each: a Recognizer2D, whose
score is one for all 30 views. Expect what the main config logs.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    local_pathway=dict(
        _delete_=True,
        config='mmaction::recognition/tsm/'
        'tsm_imagenet-pretrained-r50_8xb16-dense-1x1x8-50e_kinetics400-rgb.py',
        checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/'
        'tsm_imagenet-pretrained-r50_8xb16-dense-1x1x8-50e_kinetics400-rgb/'
        'tsm_imagenet-pretrained-r50_8xb16-dense-1x1x8-50e_kinetics400-rgb_20220831-f55d3c2b.pth',
        backbone=dict(pretrained2d=False),  # True would load ImageNet's before
    ),
)


def sampled(pipeline):
    """For the local pathway the crops of the global one, 8 frames 8 apart, as images."""
    pathways = pipeline[0]['pathways']
    steps = [dict(step) for step in pathways['global_pathway']]
    steps[1].update(clip_len=8, frame_interval=8)
    steps[-2].update(input_format='NCHW')
    pathways['local_pathway'] = steps
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
