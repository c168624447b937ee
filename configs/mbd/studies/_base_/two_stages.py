"""MBD in two stages: undistilled, distilled by default and otherwise, and by its peers.

For studies that set data, model, and where the lists of a fold and a seed are. Stage 1 trains each
pathway alone (`alone`; both in one run, whose losses have no term in common), stage 2 both together
from there. The undistilled pair (`none`) gets the same stage 2, with the same seed, on the same
videos.

`default` has the paper's α, β and layers and no temperature (T = 1), `t4` the same at T = 4
without T²; `asymmetric` distills the final layer at T = 4 with T², with a weight of 0.3 for the
local pathway and 1 for the global one; `mutual` is deep mutual learning: both teach on every
sample, at the final layer.
"""

evaluate = 'val'
options = {
    'train_dataloader.dataset.ann_file': '{train_list}',
    'train_dataloader.dataset.data_prefix.video': '{videos}',
    'val_dataloader.dataset.ann_file': '{test_list}',
    'val_dataloader.dataset.data_prefix.video': '{videos}',
    'test_dataloader.dataset.ann_file': '{test_list}',
    'test_dataloader.dataset.data_prefix.video': '{videos}',
}
stage_2 = {**options, 'load_from': '{alone.checkpoint}'}
loss = 'model.distill_loss'
undistilled = {f'{loss}.layers': 'none'}
arms = dict(
    alone=dict(config='{model}', options={**options, **undistilled}),
    none=dict(config='{model}', options={**stage_2, **undistilled}),
    default=dict(config='{model}', options={**stage_2, f'{loss}.temperature': 1.0}),
    t4=dict(config='{model}', options={**stage_2, f'{loss}.temperature': 4.0}),
    asymmetric=dict(
        config='{model}',
        options={
            **stage_2,
            f'{loss}.layers': 'final',
            f'{loss}.temperature': 4.0,
            f'{loss}.t_squared': True,
            f'{loss}.kl_weight': [0.3, 1.0],
        },
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
rows = ['alone', 'none', 'default', 't4', 'asymmetric', 'mutual']
tables = [
    dict(
        title='Fused scores',
        rows=rows,
        metric='acc/fused_mean1',
        metrics=['acc/local_mean1', 'acc/global_mean1'],
        baseline='none',
    ),
    dict(title='Local pathway', rows=rows, metric='acc/local_mean1', baseline='none'),
    dict(title='Global pathway', rows=rows, metric='acc/global_mean1', baseline='none'),
]
figures = [
    dict(
        kind='bars',
        title='Each pathway and the fused scores',
        arms=rows[1:],
        metrics=['acc/local_mean1', 'acc/global_mean1', 'acc/fused_mean1'],
    )
]
