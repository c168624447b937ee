"""MBD fine-tuned on UCF101, HMDB51 and Something-Something V2: Table 1 on UCF101, Tables 4 and 6.

    python tools/study.py configs/mbd/studies/finetuned.py --devices 8
    python tools/study.py configs/mbd/studies/finetuned.py --arms hmdb51 --devices 8

The second is one row. Figures are means over the three splits, as the paper's; Something-Something
V2 has none. The pathways are pre-trained once, on Kinetics-400.
"""

_base_ = '_base_/pretrained.py'

title = 'MBD, fine-tuned'
folds = ['split_1', 'split_2', 'split_3']
pretrained = _base_.pretrained


def on_splits(dataset, **options):
    """The config of a data set's first split, on each split."""
    return dict(
        config=f'../r2plus1d_vtn_{dataset}_split1.py',
        options={
            **pretrained,
            **{
                f'{loader}_dataloader.dataset.ann_file': f'data/{dataset}/{dataset}_{part}_'
                '{fold}_videos.txt'
                for loader, part in (('train', 'train'), ('val', 'val'), ('test', 'val'))
            },
            **options,
        },
    )


layers = 'model.distill_loss.layers'
average = {'model.fusion_head.weights': 'average'}
arms = dict(
    ucf101_none=on_splits('ucf101', **average, **{layers: 'none'}),
    ucf101_intermediate=on_splits('ucf101', **average, **{layers: 'intermediate'}),
    ucf101_final=on_splits('ucf101', **average, **{layers: 'final'}),
    ucf101_fusion=dict(test_of='ucf101_none', options={'model.fusion_head.weights': 'ratio'}),
    ucf101=on_splits('ucf101'),
    hmdb51=on_splits('hmdb51'),
    sthv2=dict(config='../r2plus1d_vtn_sthv2.py', options=pretrained, once_per='study'),
)
printed = _base_.printed.finetuned
components = list(printed['Table 1'])
fused, metrics = 'acc/fused_top1', _base_.metrics
tables = [
    dict(title='Components on UCF101 (Table 1)', rows=components, metric=fused, metrics=metrics,
         baseline='ucf101_none', paper=printed['Table 1']),
    dict(title='Mean over the splits (Table 4)', rows=['ucf101', 'hmdb51'], metric=fused,
         metrics=metrics, paper=printed['Table 4']),
    dict(title='Something-Something V2 (Table 6)', rows=['sthv2'], metric=fused, metrics=metrics,
         paper=printed['Table 6']),
]  # fmt: skip
figures = [
    dict(
        kind='bars',
        title='Components on UCF101 (Table 1)',
        arms=components,
        metrics=['acc/local_top1', 'acc/global_top1', 'acc/fused_top1'],
    )
]
