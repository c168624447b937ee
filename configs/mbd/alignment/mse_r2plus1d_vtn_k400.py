"""Table 3 of MBD: the final layer is aligned by the MSE of the logits, not by the KL.

    tools/dist_train.sh configs/mbd/alignment/mse_r2plus1d_vtn_k400.py 8

Expect loss_final of another size than with the KL: kl_weight is its weight all the same.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(distill_loss=dict(final_align='mse'))
