"""One of two gloo processes: 50 MBD steps under stock DDP; rank 0 writes what it got.

In each batch the videos of a rank are all dominated by one pathway, so that on every rank one
group is empty: the local pathway's inputs are far from 0 on rank 0, the global pathway's on rank 1.
"""

import sys

import ddp_training
import tiny_mbd
import torch
from mmengine.dist import get_rank, get_world_size, init_dist
from mmengine.model import MMDistributedDataParallel

STEPS, PER_RANK = 50, 3
LR = 1e-9  # slow: the groups stay as they are


def rank_batch(step, rank):
    """A rank's inputs; its idle pathway sees black frames and is as unsure as it can be."""
    inputs, samples = tiny_mbd.batch(PER_RANK, seed=2 * step + rank, dtype=torch.float64)
    idle = ('global_pathway', 'local_pathway')[rank]
    inputs[idle] = torch.zeros_like(inputs[idle])
    return inputs, samples


def build_model():
    """The same weights in every process; black frames get equal logits, others unequal ones."""
    # A fusion that is trained, too, and class centres that are kept over the ranks.
    fusion_head = dict(
        type='mmaction_kd.FeatureFusionHead', dropout_ratio=0.0, dominance=dict(labels='centers')
    )
    model = tiny_mbd.build(fusion_head=fusion_head).double()
    for pathway in model.pathways.values():
        fc = pathway.cls_head.fc_cls
        fc.weight.data.mul_(30)
        fc.bias.data.zero_()
        black = torch.zeros(1, 1, 3, 4, 16, 16, dtype=torch.float64)
        fc.bias.data.sub_(pathway(black, mode='tensor', stage='head')[0].detach())
    return model


def main():
    init_dist('pytorch', backend='nccl')
    assert get_world_size() == 2
    model = MMDistributedDataParallel(build_model(), device_ids=[get_rank()])
    batches = (rank_batch(step, get_rank()) for step in range(STEPS))
    result = ddp_training.train(model, batches, LR, 'local/dominance_share')
    torch.save(result, f'{sys.argv[1]}/rank{get_rank()}.pth')


if __name__ == '__main__':
    main()
