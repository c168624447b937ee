"""Table 1 of MBD: the final layer alone is distilled, scores are averaged.

    tools/dist_train.sh configs/mbd/components/final_r2plus1d_vtn_k400.py 8

Expect loss_final of each pathway in the log and no loss_intermediate.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    distill_loss=dict(layers='final'),
    fusion_head=dict(weights='average'),
)
