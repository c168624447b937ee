"""SlowFast R101 8x8: 8 slow and 32 fast frames, from clips of 32: 62.827 M.

Fewer frames and yet more parameters than 16x8: all 23 blocks of res4 convolve over time.
"""

_base_ = './slowfast_r101_16x8.py'

model = dict(
    backbone=dict(slow_pathway=dict(inflate=(0, 0, 1, 1)), fast_pathway=dict(inflate=(1, 1, 1, 1)))
)
