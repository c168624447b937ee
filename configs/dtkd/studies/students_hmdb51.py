"""DTKD on the three splits of HMDB51: Table 3, Fig. 6, Fig. 7, Table 6, Fig. 8.

    python tools/study.py configs/dtkd/studies/students_hmdb51.py --devices 8

From optical flow to the student: everything is made from the baseline's config. The paper's figures
are of split 1.
"""

_base_ = ['_base_/official_splits.py', '_base_/students.py']

title = 'DTKD on HMDB51'
dataset, paper_name = 'hmdb51', 'HMDB51 top-1'
distill_options = 's_alpha=0.7 kd_weight=0.2'
tables = [
    dict(
        title='Students (Table 3)',
        rows=_base_.students,
        metric=_base_.metric,
        metrics=_base_.metrics,
        baseline='baseline',
        paper=dict(baseline=77.1),
        paper_name=paper_name,
    ),
    dict(
        title='Teachers on their own classes (Table 4)',
        rows=['static', 'dynamic'],
        metric='acc/top1',
    ),
    dict(title='Selectivity (Table 6)', rows=_base_.selectivity),
]
