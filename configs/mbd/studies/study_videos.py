"""Rendered videos: what distillation adds to a pair of pathways that were each trained alone.

    python tools/data/make_study_videos.py data/study
    python tools/study.py configs/mbd/studies/study_videos.py --fork

The paper's protocol at small scale: stage 1 trains each pathway alone (`alone`; both in one run,
whose losses have no term in common), stage 2 both together from there. The undistilled pair
(`none`) gets the same stage 2, with the same seed, on the same videos. Each of the five seeds has
training videos of its own, all share the test videos, 1600: the interval of the paired differences
is Student's over the seeds, and speaks of other training sets and other seeds.

`mutual` is deep mutual learning, `paper_weights` T = 4 with T², the former default.
"""

title = 'MBD on rendered videos'
data = 'data/study'
seeds = [0, 1, 2, 3, 4]
model = '../tiny_efficientnet_tcn_vtn_study_videos.py'

evaluate = 'val'
metric = 'acc/fused_mean1'
metrics = ['acc/local_mean1', 'acc/global_mean1']
baseline = 'none'

options = {
    'train_dataloader.dataset.ann_file': '{data}/train_{seed}.txt',
    'train_dataloader.dataset.data_prefix.video': '{data}/videos',
    'val_dataloader.dataset.ann_file': '{data}/test.txt',
    'val_dataloader.dataset.data_prefix.video': '{data}/videos',
    'default_hooks.distill_report': None,  # a page takes as long as the training
}
stage_2 = {**options, 'load_from': '{alone.checkpoint}'}
loss = 'model.distill_loss'
undistilled = {f'{loss}.layers': 'none'}
arms = dict(
    alone=dict(config='{model}', options={**options, **undistilled}),
    none=dict(config='{model}', options={**stage_2, **undistilled}),
    default=dict(config='{model}', options={**stage_2, f'{loss}.t_squared': False}),
    t_squared=dict(config='{model}', options={**stage_2, f'{loss}.t_squared': True}),
)
