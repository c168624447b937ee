"""A test whose global clips stand on one grid of frames: a quarter of the frames for the ViT.

    tools/dist_train.sh configs/mbd/faster/snapped_r2plus1d_vtn_k400.py 8

Nothing is trained for it: instead of training, test the main config's checkpoint with this file,

    tools/dist_test.sh configs/mbd/faster/snapped_r2plus1d_vtn_k400.py CHECKPOINT 8

and expect the same acc/local_top1. A global clip starts at most 4 frames earlier or later than in
the paper, so acc/global_top1 and acc/fused_top1 may differ a little: give them as such.
"""

_base_ = '../r2plus1d_vtn_k400.py'


def snapped(pipeline):
    steps = pipeline[0]['pathways']['global_pathway']
    steps.insert(2, dict(type='mmaction_kd.SnapClips'))
    return pipeline


test_pipeline = snapped(_base_.test_pipeline)
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
