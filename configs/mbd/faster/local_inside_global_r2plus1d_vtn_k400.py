"""MBD on Kinetics-400, each local clip inside the global clip's span: less to decode.

    tools/dist_train.sh configs/mbd/faster/local_inside_global_r2plus1d_vtn_k400.py 8

Beyond the paper, which does not state how the two clips of a video lie. In training the 16 local
frames come from the 121 that the global ones span; both pathways see the same moment, and the ends
of a longer video are sampled less often. Validation and test stay.
"""

_base_ = '../r2plus1d_vtn_k400.py'
train_pipeline = _base_.train_pipeline
train_pipeline[0]['inside'] = dict(local_pathway='global_pathway')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
