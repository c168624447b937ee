"""Fig. 6 of MBD on Kinetics-400: fusion strategies.

    python tools/study.py configs/mbd/studies/fusion_k400.py --devices 8

Average, weighted and max need no training of their own: they test the checkpoint of the full model.
The SVM is fitted to its scores on the training videos.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, Fig. 6: fusion strategies'
data = 'data/kinetics400'
arms = dict(
    adaptive=dict(config='../r2plus1d_vtn_k400.py', options=_base_.pretrained),
    average=dict(test_of='adaptive', options={'model.fusion_head.weights': 'average'}),
    weighted=dict(test_of='adaptive', options={'model.fusion_head.weights': [0.4, 0.6]}),
    max=dict(
        test_of='adaptive',
        options={'model.fusion_head.weights': 'average', 'model.fusion_head.combine': 'max'},
    ),
    concat=dict(config='../fusion/concat_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    bilinear=dict(config='../fusion/bilinear_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    conv3d=dict(config='../fusion/conv3d_r2plus1d_vtn_k400.py', options=_base_.pretrained),
    train_scores=dict(
        test_of='adaptive',
        options={
            'test_dataloader.dataset.ann_file': '{data}/kinetics400_train_list_videos.txt',
            'test_dataloader.dataset.data_prefix.video': '{data}/videos_train',
        },
    ),
    on_scores=dict(
        command='{python} {tools}/analysis_tools/fuse_scores.py {train_scores.scores} '
        '{adaptive.scores} --strategies svm_linear --out {folder}/metrics.json'
    ),
)
fused = 'acc/fused_top1'
rows = dict(
    average=dict(arm='average', metric=fused),
    weighted=dict(arm='weighted', metric=fused),
    max=dict(arm='max', metric=fused),
    concatenation=dict(arm='concat', metric=fused),
    svm=dict(arm='on_scores', metric='acc/svm_linear_top1'),
    conv3d=dict(arm='conv3d', metric=fused),
    bilinear=dict(arm='bilinear', metric=fused),
    adaptive=dict(arm='adaptive', metric=fused),
)
tables = [
    dict(rows=rows, baseline='average', paper=dict(adaptive=83.5), paper_name=_base_.paper_name)
]
figures = [dict(kind='bars', title='Fusion strategies', rows=rows)]
