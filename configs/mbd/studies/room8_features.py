r"""room8, two stages on frozen ImageNet features: does distillation add anything on real video?

    python tools/study.py configs/mbd/studies/room8_features.py --fork \
        --arms alone none default asymmetric mutual

Three folds, three seeds. The protocol and its arms: _base_/two_stages.py. `data` holds videos/ and
fold{1,2,3}_{train,test}.txt.
"""

_base_ = '_base_/two_stages.py'

title = 'MBD on room8, by frozen features'
data = 'data/room8'
folds = ['fold1', 'fold2', 'fold3']
seeds = [0, 1, 2]
model = '_base_/tiny_efficientnet_tcn_vtn_room8.py'
train_list, test_list, videos = (
    '{data}/{fold}_train.txt',
    '{data}/{fold}_test.txt',
    '{data}/videos',
)
rows = ['alone', 'none', 'default', 'asymmetric', 'mutual']
tables = [{**table, 'rows': rows} for table in _base_.tables]
figures = [{**_base_.figures[0], 'arms': rows}]
