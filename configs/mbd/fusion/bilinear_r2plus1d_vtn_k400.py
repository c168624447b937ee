"""Fig. 6 of MBD: low-rank bilinear features, one linear classifier.

    tools/dist_train.sh configs/mbd/fusion/bilinear_r2plus1d_vtn_k400.py 8

Expect fused/loss_cls in the log: the fusion is trained along; the pathways do not learn from it.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    fusion_head=dict(_delete_=True, type='mmaction_kd.FeatureFusionHead', fusion='bilinear')
)
