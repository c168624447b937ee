"""The arms of a DTKD study: subsets by optical flow, teachers, baseline, BSKD, DTKD, on each fold.

A study names the config of the student alone, `baseline_config`; how the flow tool finds the
training videos of a fold, `flow_source`; and what tools/dtkd.py changes for a fold, `fold_options`.
"""

metric = 'acc/top1'
metrics = ['acc/mean1', 'acc/static_mean1', 'acc/dynamic_mean1']
baseline = 'baseline'
seeds = [0, 1, 2]
threshold = 'q1'
distill_options = 's_alpha=0.3 kd_weight=0.4'

made = '{setup.folder}/configs'
taught = {
    'model.teachers.static.checkpoint': '{static.checkpoint}',
    'model.teachers.dynamic.checkpoint': '{dynamic.checkpoint}',
}
arms = dict(
    subsets=dict(
        once_per='fold',
        command='{python} {tools}/data/optical_flow_subsets.py {flow_source} '
        '--threshold {threshold} --out {folder}/subsets.json',
    ),
    # The configs of all models of a fold.
    setup=dict(
        once_per='fold',
        command='{python} {tools}/dtkd.py {baseline_config} --work-dir {folder} '
        '--subsets {subsets.folder}/subsets.json --configs-only '
        '--distill-options {distill_options} --cfg-options {fold_options}',
    ),
    static=dict(config='{made}/static.py'),
    dynamic=dict(config='{made}/dynamic.py'),
    baseline=dict(config='{made}/baseline.py'),
    bskd=dict(config='{made}/bskd.py', options=taught),
    dtkd=dict(config='{made}/dtkd.py', options=taught),
)
