"""room8, small scale: MBD's components (Table 1), who teaches (Fig. 5), fusion (Fig. 6).

    python tools/study.py configs/mbd/studies/room8.py --jobs 2 --cfg-options data=data/room8

Small models from scratch, three folds, three seeds: 54 trainings of a minute. `data` holds frames/
and fold{1,2,3}_{train,test}_rawframes.txt, see tiny_r3d_vtn_room8.py.
"""

title = 'MBD on room8, small scale: components, and who teaches'
data = 'data/room8'
folds = ['fold1', 'fold2', 'fold3']
seeds = [0, 1, 2]
model = '../tiny_r3d_vtn_room8.py'
epochs = 12

metric = 'acc/fused_mean1'
metrics = ['acc/local_mean1', 'acc/global_mean1', 'acc/fused_top1']
baseline = 'none'

options = {
    'train_dataloader.dataset.ann_file': '{data}/{fold}_train_rawframes.txt',
    'train_dataloader.dataset.data_prefix.img': '{data}/frames',
    'test_dataloader.dataset.ann_file': '{data}/{fold}_test_rawframes.txt',
    'test_dataloader.dataset.data_prefix.img': '{data}/frames',
    'train_cfg.max_epochs': '{epochs}',
    'param_scheduler.1.T_max': '{epochs}',
}
average = {'model.fusion_head.weights': 'average'}
layers, teacher = 'model.distill_loss.layers', 'model.distill_loss.teacher'
arms = dict(
    none=dict(config='{model}', options={**options, **average, layers: 'none'}),
    intermediate=dict(config='{model}', options={**options, **average, layers: 'intermediate'}),
    final=dict(config='{model}', options={**options, **average, layers: 'final'}),
    fusion=dict(test_of='none', options={'model.fusion_head.weights': 'ratio'}),
    all=dict(config='{model}', options={**options, layers: 'both'}),
    final_local=dict(
        config='{model}', options={**options, **average, layers: 'final', teacher: 'local'}
    ),
    final_global=dict(
        config='{model}', options={**options, **average, layers: 'final', teacher: 'global'}
    ),
    all_train=dict(
        test_of='all',
        options={'test_dataloader.dataset.ann_file': '{data}/{fold}_train_rawframes.txt'},
    ),
    strategies=dict(
        command='{python} {tools}/analysis_tools/fuse_scores.py {all_train.scores} {all.scores} '
        '--out {folder}/metrics.json'
    ),
)
fused = [
    *('local', 'global', 'average', 'weighted', 'max', 'concat', 'svm_linear', 'svm_rbf'),
    *('bilinear', 'adaptive'),
]
strategies = {name: dict(arm='strategies', metric=f'acc/{name}_mean1') for name in fused}
parts = ['none', 'intermediate', 'final', 'fusion', 'all']
teachers = ['none', 'final_local', 'final_global', 'final']
tables = [
    dict(title='Components (Table 1)', rows=parts, metric=metric, metrics=metrics, baseline='none'),
    dict(
        title='Who teaches at the final layer (Fig. 5)',
        rows=teachers,
        metric=metric,
        metrics=metrics,
        baseline='none',
    ),
    dict(title="Fusion of one model's scores (Fig. 6)", rows=strategies, baseline='average'),
]
by_pathway = ['acc/local_mean1', 'acc/global_mean1', 'acc/fused_mean1']
figures = [
    dict(kind='bars', title='Components', arms=parts, metrics=by_pathway),
    dict(kind='bars', title='Who teaches at the final layer', arms=teachers, metrics=by_pathway),
    dict(kind='bars', title='Fusion strategies', rows=strategies),
]
