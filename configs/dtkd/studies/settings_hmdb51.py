"""Hyper-parameters on HMDB51, split 1 (Table 5): S_alpha, KD weight, temperature, LT, FT, BSKD.

    python tools/study.py configs/dtkd/studies/settings_hmdb51.py --devices 8

Which values the paper's runs had is known to us in part; the grids hold those and their neighbours.
"""

_base_ = '_base_/settings.py'

title = 'DTKD on HMDB51: settings'
dataset, paper_name = 'hmdb51', 'HMDB51 top-1'
distill_options = 's_alpha=0.7 kd_weight=0.2'
