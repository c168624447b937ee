"""Rendered videos: baseline, its peers and DTKD, from the same frozen features.

    python tools/data/make_study_videos.py data/study
    python tools/study.py configs/dtkd/studies/study_videos.py --fork

Each of the five seeds has training videos of its own, all share the test videos: the interval of
the paired differences is Student's over the seeds, and speaks of other training sets and seeds.

`one_teacher` is ordinary distillation from one teacher over all classes, the peer of two teachers
of subsets: BSKD whose two teachers are one and unmasked. Weights of 0.4 are the paper's.
"""

title = 'DTKD on rendered videos'
data = 'data/study'
seeds = [0, 1, 2, 3, 4]
evaluate = 'val'
metric = 'acc/mean1'
metrics = ['acc/static_mean1', 'acc/dynamic_mean1']
baseline = 'baseline'
baseline_config = '{here}/_base_/tiny_efficientnet_tcn_study_videos.py'
lists = (
    'train_dataloader.dataset.ann_file={data}/train_{seed}.txt '
    'train_dataloader.dataset.data_prefix.video={data}/videos '
    'val_dataloader.dataset.ann_file={data}/test.txt '
    'val_dataloader.dataset.data_prefix.video={data}/videos '
    'test_dataloader.dataset.ann_file={data}/test.txt '
    'test_dataloader.dataset.data_prefix.video={data}/videos'
)
made = '{setup.folder}/configs'
teachers, loss = 'model.teachers', 'model.distill_loss'
taught = {
    f'{teachers}.static.checkpoint': '{static.checkpoint}',
    f'{teachers}.dynamic.checkpoint': '{dynamic.checkpoint}',
}
one = {
    f'{teachers}.static.config': '{made}/baseline.py',
    f'{teachers}.static.checkpoint': '{teacher.checkpoint}',
    f'{teachers}.dynamic.config': '{made}/baseline.py',
    f'{teachers}.dynamic.checkpoint': '{teacher.checkpoint}',
    f'{loss}.teacher_head': 'full',
    f'{loss}.mask_value': None,
}
arms = dict(
    setup=dict(
        command='{python} {tools}/dtkd.py {baseline_config} --work-dir {folder} '
        '--subsets {data}/subsets.json --configs-only '
        '--distill-options s_alpha=0.3 kd_weight=0.4 --cfg-options {lists}'
    ),
    static=dict(config='{made}/static.py'),
    dynamic=dict(config='{made}/dynamic.py'),
    # The baseline with its videos in another order.
    teacher=dict(config='{made}/baseline.py', options={'train_dataloader.sampler.seed': 1000}),
    baseline=dict(config='{made}/baseline.py'),
    bskd=dict(config='{made}/bskd.py', options=taught),
    dtkd=dict(config='{made}/dtkd.py', options=taught),
    dtkd_mixture=dict(
        config='{made}/dtkd.py', options={**taught, f'{loss}.weighting.order': 'mixture'}
    ),
    dtkd_07=dict(config='{made}/dtkd.py', options={**taught, f'{loss}.kd_weight': 0.7}),
    dtkd_mixture_07=dict(
        config='{made}/dtkd.py',
        options={**taught, f'{loss}.weighting.order': 'mixture', f'{loss}.kd_weight': 0.7},
    ),
    one_teacher=dict(config='{made}/bskd.py', options=one),
    one_teacher_07=dict(config='{made}/bskd.py', options={**one, f'{loss}.kd_weight': 0.7}),
)
tables = [
    dict(
        title='Students',
        rows=[
            'baseline',
            'bskd',
            'dtkd',
            'dtkd_mixture',
            'dtkd_07',
            'dtkd_mixture_07',
            'one_teacher',
            'one_teacher_07',
        ],
        metric='acc/mean1',
        metrics=['acc/static_mean1', 'acc/dynamic_mean1'],
        baseline='baseline',
    ),
    dict(title='Teachers', rows=['static', 'dynamic', 'teacher'], metric='acc/mean1'),
]
