"""Baselines on HMDB51, split 1 (Table 3): frozen backbone, and SlowFast 8x8.

python tools/study.py configs/dtkd/studies/baselines_hmdb51.py --devices 8
"""

_base_ = '_base_/baselines.py'

title = 'Baselines on HMDB51'
dataset, paper_name = 'hmdb51', 'HMDB51 top-1'
distill_options = 's_alpha=0.7 kd_weight=0.2'
paper = dict(slowfast_r101_16x8=77.10)
