"""Table 1 of MBD: the intermediate layer alone is distilled, scores are averaged.

    tools/dist_train.sh configs/mbd/components/intermediate_r2plus1d_vtn_k400.py 8

Expect loss_intermediate of each pathway in the log and no loss_final.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(
    distill_loss=dict(layers='intermediate'),
    fusion_head=dict(weights='average'),
)
