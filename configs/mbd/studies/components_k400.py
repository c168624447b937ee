"""Table 1 of MBD on Kinetics-400: what each component adds.

python tools/study.py configs/mbd/studies/components_k400.py --devices 8
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Table 1: components'
baseline = 'none'
arms = dict(
    none=dict(config='../components/none_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    intermediate=dict(
        config='../components/intermediate_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    final=dict(config='../components/final_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    fusion=dict(test_of='none', options={'model.fusion_head.weights': 'ratio'}),
    all=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
)
paper = dict(none=80.9, all=83.5)
figures = [
    dict(
        kind='bars',
        title='Components',
        metrics=['acc/local_top1', 'acc/global_top1', 'acc/fused_top1'],
    ),
    dict(kind='curves', title='Validation'),
]
