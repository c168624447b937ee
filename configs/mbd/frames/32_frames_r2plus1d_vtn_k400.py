"""Table 2 of MBD: 32 frames for both pathways.

    tools/dist_train.sh configs/mbd/frames/32_frames_r2plus1d_vtn_k400.py 8

Strides stay: 32 consecutive frames for the local pathway, 32 frames 8 apart for the global one. The
pathways start from those trained on 16 frames.
"""

_base_ = '../r2plus1d_vtn_k400.py'


def sampled(pipeline):
    for steps in pipeline[0]['pathways'].values():
        steps[1].update(clip_len=32)
    return pipeline


train_pipeline = sampled(_base_.train_pipeline)
val_pipeline = sampled(_base_.val_pipeline)
test_pipeline = sampled(_base_.test_pipeline)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
