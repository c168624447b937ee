"""Teachers on HMDB51, split 1 (Table 4): trained as a whole, and with a frozen backbone (LT).

python tools/study.py configs/dtkd/studies/teachers_hmdb51.py --devices 8
"""

_base_ = '_base_/teachers.py'

title = 'Teachers on HMDB51'
dataset, paper_name = 'hmdb51', 'HMDB51 top-1'
distill_options = 's_alpha=0.7 kd_weight=0.2'
