"""Table 3 of MBD on Kinetics-400: the final layers aligned by KL or by MSE.

python tools/study.py configs/mbd/studies/alignment_k400.py --devices 8
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Table 3: KL against MSE at the final layer'
baseline = 'mse'
arms = dict(
    mse=dict(config='../alignment/mse_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    kl=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
)
paper = dict(kl=83.5)
