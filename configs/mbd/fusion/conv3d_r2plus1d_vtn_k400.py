"""Fig. 6 of MBD: a 3D convolution over the local map with the global feature.

    tools/dist_train.sh configs/mbd/fusion/conv3d_r2plus1d_vtn_k400.py 8

Expect fused/loss_cls in the log: the fusion is trained along; the pathways do not learn from it.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(fusion_head=dict(_delete_=True, type='mmaction_kd.FeatureFusionHead', fusion='conv3d'))
