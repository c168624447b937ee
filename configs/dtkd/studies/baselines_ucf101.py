"""Baselines on UCF101, split 1 (Table 3): frozen backbone, and SlowFast 8x8.

python tools/study.py configs/dtkd/studies/baselines_ucf101.py --devices 8
"""

_base_ = '_base_/baselines.py'

title = 'Baselines on UCF101'
dataset, paper_name = 'ucf101', 'UCF101 top-1'
paper = dict(slowfast_r101_16x8=95.14)
