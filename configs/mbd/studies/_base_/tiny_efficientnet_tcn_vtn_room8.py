"""The small MBD on room8, by frozen features, for studies: a minute a training.

    tools/dist_train.sh configs/mbd/studies/_base_/tiny_efficientnet_tcn_vtn_room8.py 1

As tiny_efficientnet_tcn_vtn.py, for 60 epochs. Expect data/room8/videos and
data/room8/fold1_{train,test}.txt. The study: ../room8_features.py.
"""

_base_ = '../../tiny_efficientnet_tcn_vtn.py'

model = dict(
    local_pathway=dict(cls_head=dict(num_classes=8)),
    global_pathway=dict(cls_head=dict(num_classes=8)),
)
data = dict(ann_file='data/room8/fold1_train.txt', data_prefix=dict(video='data/room8/videos'))
train_dataloader = dict(dataset=data)
data = dict(data, ann_file='data/room8/fold1_test.txt')
test_dataloader = dict(dataset=data)
val_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        test_mode=True,
        **data,
        pipeline=[_base_.features, _base_.test_dataloader.dataset.pipeline[1]],
    ),
)
del data
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = _base_.test_evaluator
train_cfg = dict(max_epochs=60, val_begin=60)  # validates once, at the end
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=60, eta_min=0, convert_to_iter_based=True),
]
hooks = dict(_base_.default_hooks)
del hooks['distill_report']  # a page takes as long as the training
hooks['checkpoint'] = dict(hooks['checkpoint'], interval=60)
default_hooks = dict(_delete_=True, **hooks)
del hooks
