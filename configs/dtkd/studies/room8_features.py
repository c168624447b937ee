r"""room8 by frozen ImageNet features: baseline, its peers and DTKD on real video.

    python tools/study.py configs/dtkd/studies/room8_features.py --fork \
        --arms baseline bskd dtkd one_teacher dtkd_t4

Three folds, three seeds; the student of tiny_efficientnet_tcn.py, whose teachers are of its size.
The subsets are measured on the training videos of each fold. Arms: _base_/peers.py. `data` holds
videos/, classes.txt and fold{1,2,3}_{train,test}.txt.
"""

_base_ = '_base_/peers.py'

title = 'DTKD on room8, by frozen features'
data = 'data/room8'
folds = ['fold1', 'fold2', 'fold3']
seeds = [0, 1, 2]
baseline_config = '{here}/../tiny_efficientnet_tcn.py'
train_list, test_list = '{data}/{fold}_train.txt', '{data}/{fold}_test.txt'
videos = '{data}/videos'
subsets, more = '--classes {data}/classes.txt', 'model.cls_head.num_classes=8'
arms = dict(
    setup=dict(once_per='fold'),
    # Of the baseline's size, so that it is no copy of it: its videos in another order.
    teacher=dict(options={'train_dataloader.sampler.seed': 1000}),
)
students = ['baseline', 'bskd', 'dtkd', 'one_teacher', 'dtkd_t4']
tables = [
    {**_base_.tables[0], 'rows': students},
    {**_base_.tables[1], 'rows': ['one_teacher', 'bskd', 'dtkd', 'dtkd_t4']},
    _base_.tables[2],
]
figures = [{**_base_.figures[0], 'arms': students}]
