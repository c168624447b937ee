"""The small MBD on data with unreadable videos.

    tools/dist_train.sh configs/mbd/tiny_r3d_vtn_skip_bad_videos.py 2

What training stumbles on is replaced, what the test stumbles on is not scored; both stand in
bad_videos.json in the work dir. To find all bad videos beforehand, and leave them out with known=:

    python tools/data/check_videos.py configs/mbd/tiny_r3d_vtn.py --out bad_videos.json
"""

_base_ = './tiny_r3d_vtn.py'

skip_bad_videos = dict(
    _delete_=True,
    type='mmaction_kd.SkipBadVideos',
    max_share=0.1,  # of more the run ends
    reader_timeout=60,  # seconds: a reader that hangs or crashes costs one video
)
train_dataloader = dict(dataset=dict(dataset=_base_.train_dataloader.dataset, **skip_bad_videos))
test_dataloader = dict(dataset=dict(dataset=_base_.test_dataloader.dataset, **skip_bad_videos))
custom_hooks = [dict(type='mmaction_kd.BadVideosHook')]
