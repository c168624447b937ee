"""Rendered videos: what distillation adds to a pair of pathways that were each trained alone.

    python tools/data/make_study_videos.py data/study
    python tools/study.py configs/mbd/studies/study_videos.py --fork

The paper's protocol at small scale: stage 1 trains each pathway alone (`alone`; both in one run,
whose losses have no term in common), stage 2 both together from there. The undistilled pair
(`none`) gets the same stage 2, with the same seed, on the same videos. Each of the five seeds has
training videos of its own, all share the test videos, 800: the interval of the paired differences
is Student's over the seeds, and speaks of other training sets and other seeds.

`t4` is T = 4 without T² (the default), `t4_squared` with it, `t1_correct` T = 1 where the teacher
is right, `mutual` deep mutual learning: both teach on every sample, at the final layer, T = 1.

Tried and dropped on the way, in short runs outside this study: polygons with textures and a second
object (320 videos taught nothing but themselves); features of 112 and of 1280 channels, slower; a
stage 2 that is 2.5 times as long as stage 1, in which T = 4 without T² and T = 2 with T² where the
teacher is right did not gain either.
"""

title = 'MBD on rendered videos'
data = 'data/study'
seeds = [0, 1, 2, 3, 4]
model = '_base_/tiny_efficientnet_tcn_vtn_study_videos.py'

evaluate = 'val'
metric = 'acc/fused_mean1'
metrics = ['acc/local_mean1', 'acc/global_mean1']
baseline = 'none'

options = {
    'train_dataloader.dataset.ann_file': '{data}/train_{seed}.txt',
    'train_dataloader.dataset.data_prefix.video': '{data}/videos',
    'val_dataloader.dataset.ann_file': '{data}/test.txt',
    'val_dataloader.dataset.data_prefix.video': '{data}/videos',
}
stage_2 = {**options, 'load_from': '{alone.checkpoint}'}
loss = 'model.distill_loss'
undistilled = {f'{loss}.layers': 'none'}
arms = dict(
    alone=dict(config='{model}', options={**options, **undistilled}),
    none=dict(config='{model}', options={**stage_2, **undistilled}),
    t4=dict(
        config='{model}',
        options={**stage_2, f'{loss}.temperature': 4.0, f'{loss}.t_squared': False},
    ),
    t4_squared=dict(
        config='{model}', options={**stage_2, f'{loss}.temperature': 4.0, f'{loss}.t_squared': True}
    ),
    t1_correct=dict(
        config='{model}',
        options={**stage_2, f'{loss}.temperature': 1.0, f'{loss}.require_teacher_correct': True},
    ),
    mutual=dict(
        config='{model}',
        options={
            **stage_2,
            f'{loss}.teacher': 'both',
            f'{loss}.layers': 'final',
            f'{loss}.temperature': 1.0,
            f'{loss}.kl_weight': 1.0,
        },
    ),
)
