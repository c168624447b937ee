"""MBD on Kinetics-400: Tables 1, 2, 3 and 5, Figures 4, 5 and 6.

    python tools/study.py configs/mbd/studies/ablations_k400.py --devices 8
    python tools/study.py configs/mbd/studies/ablations_k400.py --arms none all --devices 8

The second runs the two and the pre-training that they need. Every pathway is pre-trained once, and
the full model, `all`, is the row of all items that have it.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD on Kinetics-400'
data = 'data/kinetics400'
pretrained = _base_.pretrained
layers, teacher = 'model.distill_loss.layers', 'model.distill_loss.teacher'
average = {'model.fusion_head.weights': 'average'}
from_local, from_global = pretrained
r2plus1d_34 = {  # for a config whose global pathway is another one
    'model.local_pathway': dict(
        _delete_=True,
        config='mmaction_kd::mbd/backbones/r2plus1d_34_k400.py',
        checkpoint='{r2plus1d_34.checkpoint}',
    )
}


def clips(frames, places):
    """Options for clips of so many frames, whose SampleFrames stand at these places."""
    return {
        f'{loader}_dataloader.dataset.pipeline.{place}.clip_len': frames
        for loader in ('train', 'val', 'test')
        for place in places
    }


def main(**options):
    """The main config from the pre-trained pathways, with other settings."""
    return dict(config='../r2plus1d_vtn_k400.py', options={**pretrained, **options})


def with_backbones(config, **changes):
    """A config of backbones/, whose other backbones are pre-trained by other arms."""
    options = {**pretrained, **changes}
    if 'model.local_pathway' in options:
        del options[from_local]
    return dict(config=f'../backbones/{config}_k400.py', options=options)


both_places = [f'0.pathways.{name}_pathway.1' for name in ('local', 'global')]
arms = dict(
    # Table 1
    none=main(**average, **{layers: 'none'}),
    intermediate=main(**average, **{layers: 'intermediate'}),
    final=main(**average, **{layers: 'final'}),
    fusion=dict(test_of='none', options={'model.fusion_head.weights': 'ratio'}),
    all=main(),
    # Figure 5
    **{
        f'{who}_{where}': main(**average, **{teacher: who, layers: where})
        for who in ('local', 'global')
        for where in ('intermediate', 'final', 'both')
    },
    # Table 2; the paper pre-trains on 16 and 32 frames only, so 8 start from 16
    frames_8=main(**clips(8, both_places)),
    # Sections 3.1, 3.2
    local_32=dict(config='../r2plus1d_50_k400.py', options=clips(32, ['1']), once_per='study'),
    global_32=dict(config='../vtn_vit_b_k400.py', options=clips(32, ['1']), once_per='study'),
    frames_32=dict(
        config='../r2plus1d_vtn_k400.py',
        options={
            from_local: '{local_32.checkpoint}',
            from_global: '{global_32.checkpoint}',
            **clips(32, both_places),
        },
    ),
    # Table 3
    mse=main(**{'model.distill_loss.final_align': 'mse'}),
    # Figure 6
    average=dict(test_of='all', options=average),
    weighted=dict(  # ours, in favour of the better pathway; the paper states no weights
        test_of='all', options={'model.fusion_head.weights': [0.4, 0.6]}
    ),
    max=dict(test_of='all', options={**average, 'model.fusion_head.combine': 'max'}),
    **{
        fusion: dict(
            config='../fusion/concat_r2plus1d_vtn_k400.py',
            options={**pretrained, 'model.fusion_head.join.type': f'mmaction_kd.{join}Join'},
        )
        for fusion, join in (('concat', 'Concat'), ('conv3d', 'Conv3d'), ('bilinear', 'Bilinear'))
    },
    train_scores=dict(
        test_of='all',
        options={
            'test_dataloader.dataset.ann_file': '{data}/kinetics400_train_list_videos.txt',
            'test_dataloader.dataset.data_prefix.video': '{data}/videos_train',
        },
    ),
    svm=dict(
        command='{python} {tools}/analysis_tools/fuse_scores.py {train_scores.scores} '
        '{all.scores} --strategies svm_linear --out {folder}/metrics.json'
    ),
    # Figure 4
    r2plus1d_34=dict(config='../backbones/r2plus1d_34_k400.py', once_per='study'),
    vtn_r101=dict(config='../backbones/vtn_r101_k400.py', once_per='study'),
    vtn_r50=dict(config='../backbones/vtn_r50_k400.py', once_per='study'),
    r2plus1d_34_vit_b=with_backbones('r2plus1d_34_vtn', **{from_local: '{r2plus1d_34.checkpoint}'}),
    r2plus1d_34_r101=with_backbones(
        'r2plus1d_vtn_r101', **r2plus1d_34, **{from_global: '{vtn_r101.checkpoint}'}
    ),
    r2plus1d_34_r50=with_backbones(
        'r2plus1d_vtn_r50', **r2plus1d_34, **{from_global: '{vtn_r50.checkpoint}'}
    ),
    r2plus1d_50_r101=with_backbones('r2plus1d_vtn_r101', **{from_global: '{vtn_r101.checkpoint}'}),
    r2plus1d_50_r50=with_backbones('r2plus1d_vtn_r50', **{from_global: '{vtn_r50.checkpoint}'}),
)

printed = _base_.printed.ablations_k400
fused, by_pathway = 'acc/fused_top1', ['acc/local_top1', 'acc/global_top1', 'acc/fused_top1']
components = ['none', 'intermediate', 'final', 'fusion', 'all']
teachers = [row.get('arm', name) for name, row in _base_.published['Fig. 5'].rows.items()]
strategies = {
    name: dict(arm=row.get('arm', name), metric='acc/svm_linear_top1' if name == 'SVM' else fused)
    for name, row in _base_.published['Fig. 6'].rows.items()
}
parameters = {
    row.arm: float(row.counted.parameters) for row in _base_.published['Fig. 4'].rows.values()
}
compared = dict(metric=fused, metrics=_base_.metrics)
tables = [
    dict(compared, title='Components (Tables 1 and 5)', rows=components, baseline='none',
         paper=printed['Table 1']),
    dict(compared, title='Frames (Table 2)', rows=['frames_8', 'all', 'frames_32'], baseline='all',
         paper=printed['Table 2']),
    dict(compared, title='Alignment of the final layer (Table 3)', rows=['mse', 'all'],
         baseline='mse', paper=dict(all='+' + printed['Table 3'].all.gain), paper_name='gain'),
    dict(compared, title='Backbones (Fig. 4)', rows=list(parameters), baseline='all'),
    dict(compared, title='Who teaches, at which layer (Fig. 5)', rows=teachers, baseline='none',
         paper=printed['Fig. 5']),
    dict(title='Fusion (Fig. 6)', rows=strategies, baseline='average',
         paper=dict(adaptive=printed['Fig. 6'].all.fused_top1)),
    dict(title='Pre-training (sections 3.1 and 3.2)', metric='acc/top1', metrics=['acc/top5'],
         rows=['local', 'local_32', 'global', 'global_32']),
]  # fmt: skip
figures = [
    dict(kind='bars', title='Components (Table 1)', arms=components, metrics=by_pathway),
    dict(kind='curves', title='Validation', arms=['none', 'all'], metric=fused),
    dict(kind='scatter', title='Backbones (Fig. 4)', x=parameters, x_label='parameters, M'),
    dict(kind='bars', title='Who teaches (Fig. 5)', arms=teachers, metrics=by_pathway),
    dict(kind='bars', title='Fusion (Fig. 6)', rows=strategies),
]
