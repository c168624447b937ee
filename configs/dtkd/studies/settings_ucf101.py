"""Hyper-parameters on UCF101, split 1 (Table 5): S_alpha, KD weight, temperature, LT, FT, BSKD.

    python tools/study.py configs/dtkd/studies/settings_ucf101.py --devices 8

Which values the paper's runs had is known to us in part; the grids hold those and their neighbours.
"""

_base_ = '_base_/settings.py'

title = 'DTKD on UCF101: settings'
dataset, paper_name = 'ucf101', 'UCF101 top-1'
