"""The losses on several ranks against one device that has the joined batch.

DDP averages the gradients of the ranks. So a term is that of the joined batch where each sample's
gradient, divided by the number of ranks, is what it is there.
"""

from collections.abc import Mapping

import pytest
import torch
from ddp_training import on_ranks
from tiny_dtkd import make_loss

from mmaction_kd.models.losses import DominanceDistillLoss

N, K = 12, 4
SUBSETS = dict(dynamic=[0, 3], static=[1, 2])
DIMS = dict(local=5, global_=7)
# On the first half of the ranks the local pathway dominates all samples and they are of dynamic
# classes, on the other half it is the other way round: each group is empty on half of the ranks.
EVEN = {2: (6, 6), 4: (3, 3, 3, 3)}
UNEVEN = {2: (9, 3), 4: (5, 1, 4, 2)}
FULL = dict(teacher_head='full', mask_value=None)
LOSSES = {
    'mbd': dict(
        dominant=dict(),
        batch=dict(group_reduction='batch'),
        local=dict(teacher='local'),
        global_=dict(teacher='global'),
        mse=dict(final_align='mse', layers='final'),
        teacher_projected=dict(projection='teacher'),
        correct=dict(require_teacher_correct=True),
        centers=dict(dominance=dict(labels='centers')),
        batch_labels=dict(dominance=dict(normalizer='batch_labels')),
        target=dict(dominance=dict(normalizer='batch_labels', reduce='target')),
    ),
    'dtkd': dict(
        default=dict(),
        mean=dict(reduction='mean'),
        subset=dict(reduction='subset'),
        buffer=dict(outside_score='buffer', reduction='subset'),
        degenerate=dict(ce_norm_degenerate=0.5),
        mixture=dict(order='mixture'),
        batch_scope=dict(ce_norm_scope='batch', **FULL),
        one_distribution=dict(log_w_term=True),
    ),
    'bskd': dict(batchmean=dict(), subset=dict(reduction='subset')),
}
BY_GROUP = {'dominant', 'local', 'global_', 'mse', 'teacher_projected', 'correct', 'centers'}
BY_GROUP |= {'batch_labels', 'target', 'subset', 'buffer'}


def mbd_loss(settings, rows):
    torch.manual_seed(0)
    feat_dims = {'local': DIMS['local'], 'global': DIMS['global_']}
    loss = DominanceDistillLoss(K, feat_dims=feat_dims, **settings).double()
    sure = torch.arange(N)[:, None] < N // 2
    leaves = {
        'z_local': torch.randn(N, K).double() * torch.where(sure, 6, 0.5),
        'z_global': torch.randn(N, K).double() * torch.where(sure, 0.5, 6),
        'm_local': torch.randn(N, DIMS['local']).double(),
        'm_global': torch.randn(N, DIMS['global_']).double(),
    }
    leaves = {name: x[rows].requires_grad_() for name, x in leaves.items()}
    targets = torch.randint(K, (N,))[rows]
    by_pathway = [
        {name: leaves[f'{kind}_{name}'] for name in ('local', 'global')} for kind in ('z', 'm')
    ]
    return loss, leaves, loss(*by_pathway, targets)


def dtkd_loss(settings, rows, weighting='HybridScore'):
    torch.manual_seed(0)
    loss = make_loss(K, SUBSETS, weighting, **settings)
    width = K if settings.get('teacher_head') == 'full' else 2
    leaves = {'student': torch.randn(N, K)} | {name: torch.randn(N, width) for name in SUBSETS}
    leaves = {name: (3 * x.double())[rows].requires_grad_() for name, x in leaves.items()}
    pick = torch.randint(2, (N,))
    of = [torch.tensor(SUBSETS[name])[pick] for name in ('dynamic', 'static')]
    targets = torch.where(torch.arange(N) < N // 2, *of)[rows]
    teachers = {name: leaves[name] for name in SUBSETS}
    terms = loss(leaves['student'], teachers, targets) | loss.teacher_losses(teachers, targets)
    return loss, leaves, terms


def gradients(method, settings, rows):
    """Of the samples, and of all weights together; the terms; and what the loss keeps."""
    if method == 'mbd':
        loss, leaves, terms = mbd_loss(settings, rows)
    else:
        weighting = 'HybridScore' if method == 'dtkd' else 'ResponsibleTeacher'
        loss, leaves, terms = dtkd_loss(settings, rows, weighting)
    terms = {name: value for name, value in terms.items() if 'loss' in name}
    sum(terms.values()).backward()
    return dict(
        samples={name: x.grad for name, x in leaves.items() if x.grad is not None},
        weights={name: p.grad for name, p in loss.named_parameters() if p.grad is not None},
        terms={name: value.detach() for name, value in terms.items()},
        kept=dict(loss.named_buffers()),
    )


def on_a_rank(shares):
    """The gradients of this rank's rows, for each loss."""
    rank = torch.distributed.get_rank()
    rows = torch.arange(N).split(shares)[rank]
    return {
        f'{method} {name}': gradients(method, settings, rows)
        for method, cases in LOSSES.items()
        for name, settings in cases.items()
    }


def compare(found: Mapping, expected: Mapping, where):
    assert found.keys() == expected.keys(), where
    for name, value in expected.items():
        near = pytest.approx(value.numpy(), rel=1e-6, abs=1e-9)
        assert found[name].numpy() == near, (where, name)


@pytest.mark.parametrize('num', [2, 4])
@pytest.mark.parametrize('sizes', [EVEN, UNEVEN], ids=['even', 'uneven'])
def test_ranks_have_the_gradients_of_the_joined_batch(num, sizes, tmp_path):
    """Where a group is empty on half of them; of uneven batches what is divided by a group.

    What is divided by the batch is a mean of the ranks' means there, as the cross-entropy is: a
    sample of a smaller batch counts more.
    """
    ranks = on_ranks(on_a_rank, tmp_path, sizes[num], num=num)
    uneven = torch.cat([torch.full((n,), N / (num * n)).double() for n in sizes[num]])[:, None]
    for method, cases in LOSSES.items():
        for name, settings in cases.items():
            key = f'{method} {name}'
            single, parts = gradients(method, settings, torch.arange(N)), [r[key] for r in ranks]
            assert any(grad.abs().sum() > 0 for grad in single['samples'].values())
            count = 1 if name in BY_GROUP else uneven
            samples = {
                leaf: torch.cat([part['samples'][leaf] for part in parts]) / num
                for leaf in parts[0]['samples']
            }
            students = {
                leaf: x * (count if leaf not in SUBSETS else 1)
                for leaf, x in single['samples'].items()
            }
            compare(samples, students, key)
            for part in parts:
                compare(part['kept'], single['kept'], key)
            if sizes is EVEN or name in BY_GROUP:
                for kind in ('weights', 'terms'):
                    mean = {
                        term: sum(part[kind][term] for part in parts) / num
                        for term in parts[0][kind]
                    }
                    compare(mean, single[kind], (key, kind))
