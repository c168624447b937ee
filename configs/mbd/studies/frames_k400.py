"""Table 2 of MBD on Kinetics-400: 8, 16 and 32 frames.

python tools/study.py configs/mbd/studies/frames_k400.py --devices 8
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Table 2: frames'
baseline = '16'
arms = {
    '8': dict(config='../frames/8_frames_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    '16': dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
    '32': dict(config='../frames/32_frames_r2plus1d_vtn_k400.py', options=_base_.pretrained),
}
paper = {'8': 80.3, '16': 83.5}
figures = [dict(kind='bars', title='Frames', metrics=['acc/fused_top1'])]
