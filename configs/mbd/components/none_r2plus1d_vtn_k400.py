"""Table 1 of MBD: both pathways trained on the same clips, without distillation, averaged.

    tools/dist_train.sh configs/mbd/components/none_r2plus1d_vtn_k400.py 8

Expect the logged dominance_share all the same: who would have taught whom.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    distill_loss=dict(layers='none'),
    fusion_head=dict(weights='average'),
)
