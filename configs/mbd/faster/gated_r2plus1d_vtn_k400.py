"""A test in which the global pathway runs only where the local one is not sure enough.

    tools/dist_train.sh configs/mbd/faster/gated_r2plus1d_vtn_k400.py 8

Nothing is trained for it: instead of training, test the main config's checkpoint with this file,

    tools/dist_test.sh configs/mbd/faster/gated_r2plus1d_vtn_k400.py CHECKPOINT 8

The gate, a dominance, depends on the model: tools/analysis_tools/gate_threshold.py finds it in the
dumped scores of a validation set that both pathways have scored. The one below lets about those
videos pass of which the local pathway gives its class less than 0.7 (of 400 classes). Expect
acc/local_top1 as without a gate, acc/global_top1 of the videos that the global pathway saw, and
their share, acc/global_share.
"""

_base_ = '../r2plus1d_vtn_k400.py'

model = dict(fusion_head=dict(gate=0.0063))
