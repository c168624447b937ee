"""SlowFast R50 8x8: 8 slow and 32 fast frames, from clips of 32: 34.566 M."""

_base_ = './slowfast_r101_8x8.py'

model = dict(
    backbone=dict(
        slow_pathway=dict(depth=50, fusion_kernel=7),  # the published R50 fuses over 7 frames
        fast_pathway=dict(depth=50),
    )
)
