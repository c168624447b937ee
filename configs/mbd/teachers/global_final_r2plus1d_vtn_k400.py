"""Fig. 5 of MBD: the global pathway always teaches, at the final layer.

    tools/dist_train.sh configs/mbd/teachers/global_final_r2plus1d_vtn_k400.py 8

Expect global/dominance_share 1: the global pathway itself learns from its labels alone.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(distill_loss=dict(teacher='global', layers='final'))
