"""MBD on Kinetics-400 in bfloat16 with the channels last, for GPUs with tensor cores.

    tools/dist_train.sh configs/mbd/faster/bf16_r2plus1d_vtn_k400.py 8

Expect the losses of r2plus1d_vtn_k400.py within a few percent, and checkpoints of the same layout.
`--cfg-options compile=True` also compiles the step, which takes minutes before the first one. To
test under autocast, too: `tools/test.py CONFIG CHECKPOINT --cfg-options test_cfg.fp16=True`.
"""

_base_ = '../r2plus1d_vtn_k400.py'

optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
custom_hooks = [dict(type='mmaction_kd.MemoryFormatHook')]
