"""Fig. 6 of MBD: fixed weights, those that tools/analysis_tools/fuse_scores.py chooses.

    tools/dist_train.sh configs/mbd/fusion/weighted_r2plus1d_vtn_k400.py 8

Nothing is trained for it: instead of training, test the main config's checkpoint with this file,

    tools/dist_test.sh configs/mbd/fusion/weighted_r2plus1d_vtn_k400.py CHECKPOINT 8

and expect the same acc/local_top1 and acc/global_top1.
"""

_base_ = '../r2plus1d_vtn_k400.py'

# Ours, in favour of the pathway that is the better one in the paper; it states no weights.
model = dict(fusion_head=dict(weights=(0.4, 0.6)))
