"""MBD under stock DDP on several gloo ranks, against one process that has the whole batch.

In each batch the videos of a rank are all dominated by one pathway, so that on every rank one group
is empty: the local pathway's inputs are far from 0 on every other rank, the global pathway's on the
others. BatchNorm is in eval mode, so that a step does not depend on ranks.
"""

from itertools import chain

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from ddp_training import MANY, assert_equal, on_ranks, train
from mmengine.dist import get_rank
from mmengine.model import MMDistributedDataParallel

PER_RANK = 3
LR = 1e-9  # slow: the groups stay as they are
FUSIONS = ('concat', 'bilinear', 'conv3d')  # that are trained


def rank_batch(step, rank):
    """A rank's inputs; its idle pathway sees black frames and is as unsure as it can be."""
    inputs, samples = tiny_mbd.batch(PER_RANK, seed=4 * step + rank, dtype=torch.float64)
    idle = ('global_pathway', 'local_pathway')[rank % 2]
    inputs[idle] = torch.zeros_like(inputs[idle])
    return inputs, samples


def joined_batch(step, ranks):
    """The batches of all ranks."""
    inputs, samples = zip(*(rank_batch(step, rank) for rank in range(ranks)), strict=True)
    return {key: torch.cat([x[key] for x in inputs]) for key in inputs[0]}, list(chain(*samples))


JOINS = dict(
    concat=dict(type='mmaction_kd.ConcatJoin'),
    bilinear=dict(type='mmaction_kd.BilinearJoin', rank=8),
    conv3d=dict(type='mmaction_kd.Conv3dJoin', channels=8),
)


def build_model(fusion):
    """The same weights in every process; black frames get equal logits, others unequal ones."""
    # Class centres are kept over the ranks. The 3D convolution's loss goes on into the pathways.
    fusion_head = dict(
        type='mmaction_kd.FeatureFusionHead',
        join=JOINS[fusion],
        dropout_ratio=0.0,
        detach=fusion != 'conv3d',
        dominance=dict(labels='centers'),
    )
    changes = {}
    if fusion == 'conv3d':  # needs a feature map; here the intermediate features keep their time
        cnn = changes['local_pathway'] = tiny_dtkd.recognizer(tiny_mbd.CLASSES)
        cnn['backbone']['norm_eval'] = True
        cnn['cls_head']['dropout_ratio'] = 0
        frames = dict(tokens='frames', input_shape=(1, 3, 4, 16, 16))
        changes['features'] = dict(
            local_pathway=dict(frames, path='backbone.layer3'),
            global_pathway=dict(frames, path='backbone.frame_projection'),
        )
    model = tiny_mbd.build(fusion_head=fusion_head, **changes).double().train()
    for pathway in model.pathways.values():
        fc = pathway.cls_head.fc_cls
        fc.weight.data.mul_(30)
        fc.bias.data.zero_()
        black = torch.zeros(1, 1, 3, 4, 16, 16, dtype=torch.float64)
        fc.bias.data.sub_(pathway(black, mode='tensor', stage='head')[0].detach())
    return model


def trained(fusion, steps, rank=None, ranks=1):
    """A training on a rank under DDP; without one on the batches of all."""
    model = build_model(fusion)
    if rank is None:
        batches = (joined_batch(step, ranks) for step in range(steps))
    else:
        model = MMDistributedDataParallel(model, device_ids=[rank], broadcast_buffers=False)
        batches = (rank_batch(step, rank) for step in range(steps))
    return train(model, batches, LR, 'local/dominance_share')


def on_a_rank(steps):
    return {fusion: trained(fusion, steps, get_rank()) for fusion in FUSIONS}


@pytest.mark.parametrize('ranks, steps', MANY)
def test_ranks_equal_the_joined_batch_with_an_empty_group_on_each(ranks, steps, tmp_path):
    """find_unused_parameters=False."""
    found = on_ranks(on_a_rank, tmp_path, steps, num=ranks)
    for fusion in FUSIONS:
        parts = [of[fusion] for of in found]
        for rank, part in enumerate(parts):  # one of the pathways teaches no sample
            assert set(part['shares']) == {1.0 - rank % 2}, fusion
        single = trained(fusion, steps, ranks=ranks)
        assert any(n.startswith('fusion_head') for n in single['first'])
        assert_equal(parts, single)
