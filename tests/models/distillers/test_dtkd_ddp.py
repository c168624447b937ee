"""DTKD under stock DDP on several gloo ranks, against one process that has the whole batch.

Odd ranks never see a sample of a static class, even ones in every other batch none of a dynamic
one. There is no BatchNorm, or it is in eval mode, so that a step does not depend on ranks.
"""

import itertools

import numpy as np
import pytest
import tiny_dtkd
import tiny_mbd
import tiny_store
import torch
from ddp_training import MANY, assert_equal, on_ranks, train
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_rank
from mmengine.model import MMDistributedDataParallel

from mmaction_kd.registry import MODELS

PER_RANK = 3
LR = 1e-5  # slow: at 1e-3 a difference of 1e-16 grows to 1e-6 within 50 steps
SUBSETS = dict(dynamic=[0, 3], static=[1, 2])
CASES = ('frozen', 'routed', 'bskd', 'subset', 'trained', 'bn_only')
LOSSES = dict(
    routed=dict(outside_score='buffer'),
    bskd=dict(weighting='ResponsibleTeacher'),
    subset=dict(reduction='subset'),
)


def build_model(case):
    """The same weights in every process, large enough for the scores to depend on the video."""
    torch.manual_seed(0)
    teacher = tiny_mbd.pathway(8, 1)
    teacher['cls_head']['num_classes'] = 2
    model = MODELS.build(
        dict(
            type='mmaction_kd.DualTeacherDistiller',
            student=tiny_mbd.pathway(12, 1),
            teachers=dict(dynamic=teacher, static=teacher),
            distill_loss=tiny_dtkd.loss_config(subsets=SUBSETS, **LOSSES.get(case, {})),
            frozen_teachers=case not in ('trained', 'bn_only'),
            unfrozen_objective='bn_only' if case == 'bn_only' else 'ce',
        )
    )
    for part in (model.student, *model.teachers.values()):
        for weight in part.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=2 * weight[0].numel() ** -0.5)
    model.init_weights = None  # these are the weights
    model.teacher_hashes.update(dict.fromkeys(SUBSETS, ''))
    return model.double()


def rank_batch(step, rank):
    """A rank's videos and labels."""
    generator = torch.Generator().manual_seed(4 * step + rank)
    inputs = torch.randn(PER_RANK, 1, 3, 4, 16, 16, generator=generator, dtype=torch.float64)
    choices = SUBSETS['dynamic'] if rank % 2 else (1, 2) if step % 2 else (0, 1, 2, 3)
    picked = torch.randint(len(choices), (PER_RANK,), generator=generator).tolist()
    return inputs, [ActionDataSample().set_gt_label(choices[i]) for i in picked]


def joined_batch(step, ranks):
    """The batches of all ranks."""
    inputs, samples = zip(*(rank_batch(step, rank) for rank in range(ranks)), strict=True)
    return torch.cat(inputs), list(itertools.chain(*samples))


def trained(case, steps, rank=None, ranks=1):
    """A training on a rank under DDP; without one on the batches of all."""
    model = build_model(case)
    if rank is None:
        batches = (joined_batch(step, ranks) for step in range(steps))
    else:
        model = MMDistributedDataParallel(model, device_ids=[rank], broadcast_buffers=False)
        batches = (rank_batch(step, rank) for step in range(steps))
    return train(model, batches, LR, 'static/share')


def on_a_rank(steps):
    return {case: trained(case, steps, get_rank()) for case in CASES}


@pytest.mark.parametrize('ranks, steps', MANY)
def test_ranks_equal_the_joined_batch_without_static_samples_on_some(ranks, steps, tmp_path):
    """find_unused_parameters=False."""
    found = on_ranks(on_a_rank, tmp_path, steps, num=ranks)
    for case in CASES:
        parts = [of[case] for of in found]
        assert set(parts[1]['shares']) == {0.0}
        assert 1.0 in parts[0]['shares'] and min(parts[0]['shares']) < 1.0
        single = trained(case, steps, ranks=ranks)
        assert any('trained_teachers' in n for n in single['first']) == (case == 'trained')
        assert_equal(parts, single)


# --- Stored teachers ------------------------------------------------------------------------------

DYNAMIC, STATIC = 0, 1  # videos of tiny_store


def stored_training(folder, model_cfg, data_cfg, videos, rank=None):
    """Three steps on views of these videos; of one rank on its half."""
    views = tiny_store.stored_views(data_cfg, folder / 'store')
    torch.manual_seed(0)
    model = MODELS.build({**model_cfg, 'stored_teachers': str(folder / 'store')})
    model.init_weights()
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm3d | torch.nn.Dropout):
            module.eval()
    halves = slice(None) if rank is None else slice(rank * len(videos) // 2, None)
    share = len(videos) if rank is None else len(videos) // 2

    def batches():
        for step in range(3):
            samples = []
            for place, video in enumerate(videos):
                np.random.seed(10 * step + place)
                samples.append(views[video])
            batch = pseudo_collate(samples[halves][:share])
            data = model.data_preprocessor(batch, training=True)
            yield data['inputs'], data['data_samples']

    own = model if rank is None else MMDistributedDataParallel(model, device_ids=[rank])
    return train(own, batches(), 1e-3, 'static/share')


def stored_on_a_rank(*arguments):
    return stored_training(*arguments, rank=get_rank())


@pytest.mark.slow
def test_stored_teachers_without_static_samples_on_one_rank(tiny_videos, tmp_path):
    data = tiny_store.dataset_config(tiny_videos, tmp_path) | dict(_scope_='mmaction')
    model = tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path))
    tiny_store.record(model, data, tmp_path / 'store')
    arguments = tmp_path, model, data, [STATIC] * 3 + [DYNAMIC] * 3
    ranks = on_ranks(stored_on_a_rank, tmp_path, *arguments)
    assert [set(rank['shares']) for rank in ranks] == [{1.0}, {0.0}]
    assert_equal(ranks, stored_training(*arguments), tolerance=1e-4)
