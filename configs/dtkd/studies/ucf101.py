"""DTKD on UCF101: Tables 3 to 6 and Figures 5 to 8; a row of a table is an arm of its name.

    python tools/study.py configs/dtkd/studies/ucf101.py --devices 8
    python tools/study.py configs/dtkd/studies/ucf101.py --arms SU12 --devices 8

The second trains SU12 and the teachers that it needs. For the spread over runs: --cfg-options
seeds="[0,1,2]".
"""

_base_ = '_base_/rows.py'

title = 'DTKD on UCF101'
arms = _base_.studies.ucf101.arms
tables = _base_.studies.ucf101.tables
figures = _base_.studies.ucf101.figures
