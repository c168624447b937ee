"""Fig. 6 of MBD: the maximum of both scores.

    tools/dist_train.sh configs/mbd/fusion/max_r2plus1d_vtn_k400.py 8

Nothing is trained for it: instead of training, test the main config's checkpoint with this file,

    tools/dist_test.sh configs/mbd/fusion/max_r2plus1d_vtn_k400.py CHECKPOINT 8

and expect the same acc/local_top1 and acc/global_top1.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(fusion_head=dict(weights='average', combine='max'))
