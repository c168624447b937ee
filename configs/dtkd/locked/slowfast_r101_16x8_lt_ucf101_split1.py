"""SlowFast R101 16x8 on UCF101, split 1, only the classifier trained: 0.233 M parameters.

    tools/dist_train.sh configs/dtkd/locked/slowfast_r101_16x8_lt_ucf101_split1.py 8

The paper's baseline with a frozen backbone: Kinetics-400's features as they are.
"""

_base_ = '../slowfast_r101_16x8_ucf101_split1.py'

model = dict(
    backbone=dict(
        slow_pathway=dict(frozen_stages=4, norm_eval=True),
        fast_pathway=dict(frozen_stages=4, norm_eval=True),
    )
)
# frozen_stages=4 leaves the first fusion of the fast into the slow pathway out.
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'backbone.slow_path.conv1_lateral': dict(lr_mult=0)})
)
find_unused_parameters = True  # MMAction2 freezes when training starts, after DDP took the weights
