"""Table 1 of MBD: adaptive fusion alone, without distillation.

    tools/dist_train.sh configs/mbd/components/fusion_r2plus1d_vtn_k400.py 8

Its training is that of none_r2plus1d_vtn_k400.py: test that one's checkpoint with this config.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(distill_loss=dict(layers='none'))
