"""Truth: accuracies counted in NumPy, class by class."""

import numpy as np
import pytest
import torch

from mmaction_kd.registry import METRICS

VIDEOS, CLASSES = 60, 7
FIELDS = dict(fused='pred_score', local='local_score', **{'global': 'global_score'})


@pytest.fixture(scope='module')
def predictions():
    """Scores that are better than chance, unequally so; classes of unequal size."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(CLASSES), rng.integers(0, 3, VIDEOS - CLASSES)])
    scores = {name: rng.random((VIDEOS, CLASSES)) for name in FIELDS}
    for boost, name in enumerate(FIELDS):
        scores[name][np.arange(VIDEOS), labels] += 0.3 * boost
    return labels, scores


@pytest.mark.parametrize('batch_size', [1, 16])
def test_each_pathway_is_counted_by_its_own_scores(predictions, batch_size):
    labels, scores = predictions
    metric = METRICS.build(dict(type='mmaction_kd.PathwayAccMetric'))
    samples = [
        dict(
            gt_label=torch.tensor([label]),
            **{field: torch.from_numpy(scores[name][i]) for name, field in FIELDS.items()},
        )
        for i, label in enumerate(labels)
    ]
    for start in range(0, VIDEOS, batch_size):
        metric.process([], samples[start : start + batch_size])
    found = metric.evaluate(VIDEOS)

    expected = {}
    for name, score in scores.items():
        top5 = np.argsort(score, axis=1)[:, -5:]
        right = top5[:, -1] == labels
        by_class = [right[labels == label].mean() for label in range(CLASSES)]
        expected |= {
            f'acc/{name}_top1': right.mean(),
            f'acc/{name}_top5': (top5 == labels[:, None]).any(1).mean(),
            f'acc/{name}_mean1': np.mean(by_class),
        }
    assert found == pytest.approx(expected)
    assert len({round(value, 9) for value in expected.values()}) == 9  # none stands for another


def test_the_samples_stay_as_they_are():
    """DumpResults, after it, writes the same samples."""
    metric = METRICS.build(dict(type='mmaction_kd.PathwayAccMetric'))
    scores = {field: torch.eye(3)[0] for field in FIELDS.values()}
    sample = dict(gt_label=torch.tensor([0]), **scores)
    metric.process([], [sample])
    assert set(sample) == {'gt_label', *FIELDS.values()}
    assert all(torch.equal(sample[field], torch.eye(3)[0]) for field in scores)
