"""Kinetics-400, laid out as MMAction2's data preparation leaves it. A leaf adds the pipelines."""

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=False,  # EpochSeedHook seeds them when they start
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/kinetics400/kinetics400_train_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_train'),
    ),
)
# Also the test's, as in most work: what MBD calls the test set (4) is taken to be this list.
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file='data/kinetics400/kinetics400_val_list_videos.txt',
        data_prefix=dict(video='data/kinetics400/videos_val'),
        test_mode=True,
    ),
)
test_dataloader = dict(val_dataloader, batch_size=1)
