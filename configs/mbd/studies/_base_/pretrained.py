"""Of the studies on large data: both pathways pre-trained once, and the paper's own figures."""

_base_ = '../../paper.yml'

pretrained = {
    'model.local_pathway.checkpoint': '{local.checkpoint}',
    'model.global_pathway.checkpoint': '{global.checkpoint}',
}
arms = {
    'local': dict(config='../r2plus1d_50_k400.py', once_per='study'),
    'global': dict(config='../vtn_vit_b_k400.py', once_per='study'),
}
# The figures of paper.yml by study, item and arm.
printed = {}
for item, content in _base_.published.items():
    for name, row in content.rows.items():
        of_study = printed.setdefault(row.study.split('/')[1][:-3], {}).setdefault(item, {})
        of_study[row.get('arm', name)] = dict(row.get('paper', {}))
del item, content, name, row, of_study

seeds = [0]  # the paper has one run of each; for the spread over runs: seeds="[0,1,2]"
metric = 'acc/fused_top1'
metrics = ['acc/fused_top5', 'acc/local_top1', 'acc/global_top1']
