"""Fig. 6 of MBD: a fusion of features that is trained along: concatenation, a linear classifier.

    tools/dist_train.sh configs/mbd/fusion/concat_r2plus1d_vtn_k400.py 8

Expect fused/loss_cls in the log; the pathways do not learn from it. The others of Fig. 6 that are
trained: `--cfg-options model.fusion_head.join.type=mmaction_kd.BilinearJoin`, or Conv3dJoin.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    fusion_head=dict(
        _delete_=True,
        type='mmaction_kd.FeatureFusionHead',
        join=dict(type='mmaction_kd.ConcatJoin'),
    )
)
