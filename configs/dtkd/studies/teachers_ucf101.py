"""Teachers on UCF101, split 1 (Table 4): trained as a whole, and with a frozen backbone (LT).

python tools/study.py configs/dtkd/studies/teachers_ucf101.py --devices 8
"""

_base_ = '_base_/teachers.py'

title = 'Teachers on UCF101'
dataset, paper_name = 'ucf101', 'UCF101 top-1'
