"""Fig. 5 of MBD on Kinetics-400: who teaches, at which layer.

python tools/study.py configs/mbd/studies/teachers_k400.py --devices 8
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Fig. 5: local, global or dominant teacher'
baseline = 'dominant_both'
teachers = '../teachers'
arms = dict(
    local_intermediate=dict(
        config='{teachers}/local_intermediate_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    global_intermediate=dict(
        config='{teachers}/global_intermediate_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    dominant_intermediate=dict(
        config='{teachers}/dominant_intermediate_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    local_final=dict(
        config='{teachers}/local_final_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    global_final=dict(
        config='{teachers}/global_final_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    dominant_final=dict(
        config='{teachers}/dominant_final_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    local_both=dict(config='{teachers}/local_both_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    global_both=dict(
        config='{teachers}/global_both_r2plus1d_vtn_k400.py', options=_base_.pretrained
    ),
    dominant_both=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
)
paper = dict(dominant_both=83.5)
figures = [
    dict(
        kind='bars',
        title='Who teaches, at which layer',
        metrics=['acc/local_top1', 'acc/global_top1', 'acc/fused_top1'],
    )
]
