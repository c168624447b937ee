"""Runtime of every config: MMAction2's, with this package imported before anything is built."""

custom_imports = dict(imports=['mmaction_kd'], allow_failed_imports=False)
default_scope = 'mmaction'

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, ignore_last=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmaction_kd.SafeCheckpointHook', interval=1, max_keep_ckpts=3, save_best='auto'
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(
        type='mmaction_kd.EpochSeedHook'
    ),  # a resumed run repeats the uninterrupted one
    distill_report=dict(type='mmaction_kd.DistillReportHook'),  # the page of the run
    loaded_weights=dict(type='mmaction_kd.LoadedWeightsHook'),  # no test of random weights
    skipped_steps=dict(type='mmaction_kd.SkippedStepsHook'),  # under AMP: NaN without end
    sync_buffers=dict(type='SyncBuffersHook'),
)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # gloo is taken where there is no GPU. A rank that hangs ends the others after a `timeout`, in
    # seconds, of 1800 (gloo) or 600 (NCCL), which also limits the longest wait of a sound run.
    dist_cfg=dict(backend='nccl'),
)
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='ActionVisualizer', vis_backends=vis_backends)
log_level = 'INFO'
randomness = dict(seed=0)  # without a seed a resumed run shuffles in another order
load_from = None
resume = False
