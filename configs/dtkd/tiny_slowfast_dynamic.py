"""The dynamic teacher of dtkd_tiny_slowfast.py, for first experiments.

tools/dist_train.sh configs/dtkd/tiny_slowfast_dynamic.py 2
"""

_base_ = './tiny_slowfast_static.py'

train_dataloader = dict(dataset=dict(subset='dynamic'))
test_dataloader = dict(dataset=dict(subset='dynamic'))
