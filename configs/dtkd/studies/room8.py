"""room8, small scale: baseline, BSKD and DTKD with each reading of its weights.

    python tools/study.py configs/dtkd/studies/room8.py --jobs 2 --cfg-options data=data/room8

Small models from scratch, three folds, three seeds: 63 trainings of a minute. `data` holds frames/
and fold{1,2,3}_{train,test}_rawframes.txt, see tiny_slowfast_room8.py; and for the optical flow
videos/, fold{1,2,3}_train.txt and classes.txt. The subsets are those of the training videos of each
fold, at the median of the class means.
"""

_base_ = ['_base_/procedure.py', '_base_/students.py']

title = 'DTKD on room8, small scale'
data = 'data/room8'
folds = ['fold1', 'fold2', 'fold3']
evaluate = 'val'
epochs = 12
metric = 'acc/mean1'
threshold = 'q2'
flow_source = '{data}/{fold}_train.txt --videos {data}/videos --classes {data}/classes.txt'
baseline_config = '{here}/../tiny_slowfast_room8.py'
test_list = '{data}/{fold}_test_rawframes.txt'
fold_options = (
    'train_dataloader.dataset.ann_file={data}/{fold}_train_rawframes.txt '
    'train_dataloader.dataset.data_prefix.img={data}/frames '
    'val_dataloader.dataset.ann_file={test_list} '
    'val_dataloader.dataset.data_prefix.img={data}/frames '
    'test_dataloader.dataset.ann_file={test_list} '
    'test_dataloader.dataset.data_prefix.img={data}/frames '
    'train_cfg.max_epochs={epochs} param_scheduler.1.T_max={epochs}'
)
reading = 'model.distill_loss.weighting'
arms = dict(
    dtkd_buffer=dict(
        config='{made}/dtkd.py', options={**_base_.taught, f'{reading}.outside_score': 'buffer'}
    ),
    dtkd_mixture=dict(
        config='{made}/dtkd.py', options={**_base_.taught, f'{reading}.order': 'mixture'}
    ),
    dtkd_scores=dict(test_of='dtkd'),
)
students = ['baseline', 'bskd', 'dtkd', 'dtkd_buffer', 'dtkd_mixture']
tables = [
    dict(
        title='Students',
        rows=students,
        metric='acc/mean1',
        metrics=['acc/static_mean1', 'acc/dynamic_mean1', 'acc/top1'],
        baseline='baseline',
    ),
    dict(title='Teachers on their own classes', rows=['static', 'dynamic'], metric='acc/mean1'),
    dict(title='Selectivity', rows=_base_.selectivity),
]
figures = [
    dict(kind='curves', title='Validation', arms=students, metric='acc/mean1'),
    dict(
        kind='bars',
        title='By subset',
        arms=students,
        metrics=['acc/static_mean1', 'acc/dynamic_mean1', 'acc/mean1'],
    ),
    dict(kind='selectivity', title='Distance of the student to each teacher', arm='dtkd_scores'),
]
