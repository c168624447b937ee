"""Fig. 5 of MBD: the local pathway always teaches, at both layers.

    tools/dist_train.sh configs/mbd/teachers/local_both_r2plus1d_vtn_k400.py 8

Expect local/dominance_share 1: the local pathway itself learns from its labels alone.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(distill_loss=dict(teacher='local'))
