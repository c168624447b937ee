"""Fig. 7 of MBD on Kinetics-400: each pathway's own top-1 over the weights of KL and MSE.

    python tools/study.py configs/mbd/studies/weights_k400.py --devices 8

The paper's optimum is 0.6 and 0.4 for both pathways. The values are ours, as the text lost those
that it tried.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Fig. 7: weights of KL and MSE'
values = [0.2, 0.4, 0.6, 0.8, 1.0]
arms = dict(
    mbd=dict(
        config='../r2plus1d_vtn_k400.py',
        options=_base_.pretrained,
        grid={'model.distill_loss.kl_weight': values, 'model.distill_loss.mse_weight': values},
    )
)
best = 'mbd,kl_weight=0.6,mse_weight=0.4'
metric = 'acc/local_top1'
metrics = ['acc/global_top1', 'acc/fused_top1']
baseline = best
paper = _base_.printed.weights_k400['Fig. 7']
figures = [
    dict(kind='surface', arm='mbd', metric=f'acc/{pathway}_top1', title=f'The {pathway} pathway')
    for pathway in ('local', 'global')
]
