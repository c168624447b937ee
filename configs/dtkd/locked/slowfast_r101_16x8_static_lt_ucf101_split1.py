"""DTKD's static teacher with only its classifier trained (LT): the backbone stays Kinetics-400's.

    tools/dist_train.sh configs/dtkd/locked/slowfast_r101_16x8_static_lt_ucf101_split1.py 8

Expect one of the two teachers of the students with LT (TU3, TU4), see studies/ucf101.py.
"""

_base_ = '../slowfast_r101_16x8_static_ucf101_split1.py'

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
