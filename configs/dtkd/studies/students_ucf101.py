"""DTKD on the three splits of UCF101: Table 3, Fig. 6, Fig. 7, Table 6, Fig. 8.

    python tools/study.py configs/dtkd/studies/students_ucf101.py --devices 8

From optical flow to the student: everything is made from the baseline's config. The paper's figures
are of split 1.
"""

_base_ = ['_base_/official_splits.py', '_base_/students.py']

title = 'DTKD on UCF101'
dataset, paper_name = 'ucf101', 'UCF101 top-1'
tables = [
    dict(
        title='Students (Table 3)',
        rows=_base_.students,
        metric=_base_.metric,
        metrics=_base_.metrics,
        baseline='baseline',
        paper=dict(baseline=95.14, bskd=91.7, dtkd=96.06),
        paper_name=paper_name,
    ),
    dict(
        title='Teachers on their own classes (Table 4)',
        rows=['static', 'dynamic'],
        metric='acc/top1',
    ),
    dict(title='Selectivity (Table 6)', rows=_base_.selectivity),
]
