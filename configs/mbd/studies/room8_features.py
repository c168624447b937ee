r"""room8, two stages on frozen ImageNet features: does distillation add anything on real video?

    python tools/study.py configs/mbd/studies/room8_features.py --fork \
        --arms alone none default t4 mutual

Three folds, three seeds. The protocol and its arms: _base_/two_stages.py. `data` holds videos/ and
fold{1,2,3}_{train,test}.txt.

Tried and left, difference of the fused mean-class accuracy to the undistilled pair in folds 1, 2, 3
with seed 0: `asymmetric` -0.9, -2.2, -2.6, though its top-1 is +3.1, 0.0, +3.9: strong distillation
favours the frequent classes; in fold 1 with a tenth of the learning rate and half of stage 2 -6.4;
with the lines of rare classes repeated, T = 4 with T² -11.6, without -1.5. T = 1 at the final layer
with weight 1 +3.8, -3.2. With 20 epochs in each stage, nine runs: T = 4 without T² +0.6 [-2.6,
+3.8], with T² and weights (0.1, 1) -1.0 [-4.2, +2.2], mutual learning +1.6 [-3.4, +6.7].
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
rows = ['alone', 'none', 'default', 't4', 'mutual']
tables = [{**table, 'rows': rows} for table in _base_.tables]
figures = [{**_base_.figures[0], 'arms': rows}]
