"""Of the studies on Kinetics-400: both pathways pre-trained once, and what is reported."""

pretrained = {
    'model.local_pathway.checkpoint': '{local.checkpoint}',
    'model.global_pathway.checkpoint': '{global.checkpoint}',
}
arms = {
    'local': dict(config='../r2plus1d_50_k400.py', once_per='study'),
    'global': dict(config='../vtn_vit_b_k400.py', once_per='study'),
}
seeds = [0, 1, 2]
metric = 'acc/fused_top1'
metrics = ['acc/local_top1', 'acc/global_top1']
paper_name = 'Kinetics-400 top-1'
