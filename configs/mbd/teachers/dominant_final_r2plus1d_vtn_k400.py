"""Fig. 5 of MBD: the dominant pathway teaches, at the final layer.

    tools/dist_train.sh configs/mbd/teachers/dominant_final_r2plus1d_vtn_k400.py 8

Expect the dominance_share of the two pathways to sum to 1.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(distill_loss=dict(layers='final'))
