"""Fig. 7 of MBD on Kinetics-400: the grid of the weights of KL and MSE.

    python tools/study.py configs/mbd/studies/weights_k400.py --devices 8

The paper's optimum is 0.6 and 0.4; which other values it tried is not known to us.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Fig. 7: weights of KL and MSE'
seeds = [0]
values = [0.2, 0.4, 0.6, 0.8, 1.0]
arms = dict(
    mbd=dict(
        config='../r2plus1d_vtn_k400.py',
        options=_base_.pretrained,
        grid={'model.distill_loss.kl_weight': values, 'model.distill_loss.mse_weight': values},
    )
)
baseline = 'mbd,kl_weight=0.6,mse_weight=0.4'
figures = [dict(kind='surface', arm='mbd', title='Weights of KL and MSE')]
