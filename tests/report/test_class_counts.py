"""Sums by class against counts that NumPy makes sample by sample."""

from collections import Counter

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from mmaction_kd.models.losses import DominanceDistillLoss
from mmaction_kd.observations import take_observations
from mmaction_kd.report import class_counts
from mmaction_kd.report.class_counts import ObservationSums, PredictionCounts

K = 5


def batches(number=6, size=7):
    generator = torch.Generator().manual_seed(3)
    for _ in range(number):
        logits = {n: 3 * torch.randn(size, K, generator=generator) for n in ('local', 'global')}
        yield logits, torch.randint(K - 1, (size,), generator=generator)  # none of the last class


def dominance(logits):
    """Equations (1) and (2), for one sample."""
    f = np.exp(logits - logits.max())
    f /= f.sum()
    distances = np.array([np.linalg.norm(f - onehot) for onehot in np.eye(len(f))])
    return (np.exp(-distances) / np.exp(-distances).sum()).max()


def observed(rounds):
    loss, sums = DominanceDistillLoss(K, layers='final'), ObservationSums()
    for logits, targets in rounds:
        loss(logits, None, targets)
        sums.add(take_observations())
    return sums


def test_dominance_by_class_is_that_of_a_count_over_samples():
    count, local = Counter(), Counter()
    for logits, targets in batches():
        for i, label in enumerate(targets.tolist()):
            count[label] += 1
            one, other = (dominance(logits[n][i].double().numpy()) for n in ('local', 'global'))
            local[label] += one > other
    assert 0 < sum(local.values()) < sum(count.values())
    found = observed(batches()).reduced()['dominance']
    assert found['count'] == [count[label] for label in range(K)]
    assert found['sums']['local'] == [local[label] for label in range(K)]
    assert found['sums']['global'] == [count[label] - local[label] for label in range(K)]


@pytest.fixture
def two_ranks(monkeypatch):
    """What rank 0 sees of mmengine.dist when the other rank is in the same place."""

    def reduced(mine, other, part):
        """mine.reduced() while the other rank asks, too; ``part`` holds the tables of a rank."""
        theirs = dict(getattr(other, part))
        shapes = {key: tuple(table.shape) for key, table in theirs.items()}
        received = iter([other.names, shapes] if part == 'sums' else [shapes])

        def gather(value):
            return [value, next(received)]

        order = iter(sorted(getattr(mine, part).keys() | theirs.keys()))

        def add(table):
            key = next(order)
            table += theirs.get(key, torch.zeros_like(table))

        monkeypatch.setattr(class_counts, 'all_gather_object', gather)
        monkeypatch.setattr(class_counts, 'all_reduce', add)
        found = mine.reduced()
        assert next(order, None) is None  # each table was reduced once
        monkeypatch.undo()
        return found

    return reduced


def test_two_ranks_are_one(two_ranks):
    rounds = list(batches())
    expected = observed(rounds).reduced()
    assert two_ranks(observed(rounds[::2]), observed(rounds[1::2]), 'sums') == expected


def test_a_rank_that_saw_nothing_takes_part(two_ranks):
    expected = observed(batches()).reduced()
    assert two_ranks(ObservationSums(), observed(batches()), 'sums') == expected
    assert two_ranks(observed(batches()), ObservationSums(), 'sums') == expected


def predictions(number=11, weights=True):
    generator = torch.Generator().manual_seed(5)
    found = []
    for _ in range(number):
        score = torch.rand(K, generator=generator)
        sample = ActionDataSample().set_gt_label(int(torch.randint(K - 1, (), generator=generator)))
        sample.set_pred_score(score).set_pred_label(score.argmax(keepdim=True))
        if weights:
            weight = torch.rand((), generator=generator, dtype=torch.float64)
            for name, value in (('local', weight), ('global', 1 - weight)):
                sample.set_field(value, f'{name}_weight')
                sample.set_field(torch.rand(K, generator=generator), f'{name}_score')
        found.append(sample)
    return found


def counted(samples, size, rank=0, world_size=1, batch=3):
    counts = PredictionCounts(size, rank, world_size)
    for start in range(0, len(samples), batch):
        counts.add(samples[start : start + batch])
    return counts


def test_predictions_are_counted_one_by_one():
    samples = predictions(40)
    found = counted(samples, 40).reduced()
    pairs = Counter((s.gt_label.item(), s.pred_score.argmax().item()) for s in samples)
    assert found['num_classes'] == K
    assert found['count'] == [sum(n for (y, _), n in pairs.items() if y == k) for k in range(K)]
    assert found['hits'] == [pairs[k, k] for k in range(K)]
    assert {(y, p): n for y, p, n in found['wrong']} == {
        pair: n for pair, n in pairs.items() if pair[0] != pair[1]
    }
    for name in ('local', 'global'):
        weights = np.array([s.get(f'{name}_weight').item() for s in samples])
        labels = np.array([s.gt_label.item() for s in samples])
        for k, mean in enumerate(found['weights'][name]['mean']):
            own = weights[labels == k]
            assert mean == (pytest.approx(own.mean(), abs=1e-5) if len(own) else None)
        assert found['weights'][name]['bins'] == np.histogram(weights, 20, (0, 1))[0].tolist()
        right = [s.get(f'{name}_score').argmax() == s.gt_label.item() for s in samples]
        assert sum(found['hits_of'][name]) == sum(right)


def test_videos_that_fill_up_the_last_batch_count_once(two_ranks):
    """MMEngine's DefaultSampler gives rank r the videos r, r + 2, ... and begins again."""
    samples = predictions(11)
    expected = counted(samples, 11).reduced()
    ranks = samples[::2], samples[1::2] + samples[:1]
    mine, other = (counted(own, 11, rank, 2) for rank, own in enumerate(ranks))
    assert two_ranks(mine, other, 'counts') == expected


def test_a_stock_recognizers_predictions_have_no_weights():
    found = counted(predictions(10, weights=False), 10).reduced()
    assert found['weights'] == {} == found['hits_of'] and sum(found['count']) == 10


@pytest.mark.parametrize(
    'sample',
    [
        ActionDataSample(),
        ActionDataSample().set_pred_score(dict(rgb=torch.rand(3))),
        ActionDataSample().set_pred_score(torch.rand(3)).set_pred_label(1),  # no label
    ],
)
def test_what_is_no_classification_is_left_alone(sample):
    assert counted([sample], 1).reduced() == {}


def test_a_label_that_the_head_lacks_is_counted_nowhere():
    samples = predictions(2)
    samples[0].set_gt_label(K + 3)
    found = counted(samples, 2).reduced()
    assert sum(found['count']) == 1
    assert sum(found['weights']['local']['bins']) == 1
