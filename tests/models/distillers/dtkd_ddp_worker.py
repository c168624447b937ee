"""One of two gloo processes: 50 DTKD steps under stock DDP; rank 0 writes what it got.

Rank 1 never sees a sample of a static class, rank 0 in every other batch none of a dynamic one. The
student and the teachers have LayerNorm only, so that a step does not depend on ranks.
"""

import sys

import ddp_training
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.dist import get_rank, get_world_size, init_dist
from mmengine.model import MMDistributedDataParallel

from mmaction_kd.registry import MODELS

STEPS, PER_RANK = 50, 3
LR = 1e-5  # slow: at 1e-3 a difference of 1e-16 grows to 1e-6 within the 50 steps
SUBSETS = dict(dynamic=[0, 3], static=[1, 2])


def build_model(frozen_teachers):
    """The same weights in every process, large enough for the scores to depend on the video."""
    torch.manual_seed(0)
    teacher = tiny_mbd.pathway(8, 1)
    teacher['cls_head']['num_classes'] = 2
    model = MODELS.build(
        dict(
            type='mmaction_kd.DualTeacherDistiller',
            student=tiny_mbd.pathway(12, 1),
            teachers=dict(dynamic=teacher, static=teacher),
            distill_loss=dict(type='mmaction_kd.HybridScoreLoss', subsets=SUBSETS),
            frozen_teachers=frozen_teachers,
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
    generator = torch.Generator().manual_seed(2 * step + rank)
    inputs = torch.randn(PER_RANK, 1, 3, 4, 16, 16, generator=generator, dtype=torch.float64)
    choices = SUBSETS['dynamic'] if rank else (1, 2) if step % 2 else (0, 1, 2, 3)
    picked = torch.randint(len(choices), (PER_RANK,), generator=generator).tolist()
    return inputs, [ActionDataSample().set_gt_label(choices[i]) for i in picked]


def main():
    init_dist('pytorch', backend='nccl')
    assert get_world_size() == 2
    frozen_teachers = sys.argv[2] == 'frozen'
    model = MMDistributedDataParallel(build_model(frozen_teachers), device_ids=[get_rank()])
    batches = (rank_batch(step, get_rank()) for step in range(STEPS))
    result = ddp_training.train(model, batches, LR, 'static/share')
    torch.save(result, f'{sys.argv[1]}/rank{get_rank()}.pth')


if __name__ == '__main__':
    main()
