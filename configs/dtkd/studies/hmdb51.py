"""DTKD on HMDB51: Tables 3 to 6 and Figures 5 to 8; a row of a table is an arm of its name.

    python tools/study.py configs/dtkd/studies/hmdb51.py --devices 8
    python tools/study.py configs/dtkd/studies/hmdb51.py --arms SH3 --devices 8

The second trains SH3 and the teachers that it needs. For the spread over runs: --cfg-options
seeds="[0,1,2]".
"""

_base_ = '_base_/rows.py'

title = 'DTKD on HMDB51'
arms = _base_.studies.hmdb51.arms
tables = _base_.studies.hmdb51.tables
figures = _base_.studies.hmdb51.figures
