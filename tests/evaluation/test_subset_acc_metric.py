"""Truth: accuracies counted in NumPy, class by class."""

import logging

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from mmaction_kd.registry import METRICS

SUBSETS = dict(static=[6, 0, 3], dynamic=[1, 2, 4, 5])
VIDEOS, CLASSES = 80, 7


def evaluate(scores, labels, meta=None, batch_size=16, **settings):
    metric = METRICS.build(
        dict(type='mmaction_kd.SubsetAccMetric', **{'subsets': SUBSETS, **settings})
    )
    metric.dataset_meta = meta
    samples = [
        dict(pred_score=torch.from_numpy(score), gt_label=torch.tensor([label]))
        for score, label in zip(scores, labels, strict=True)
    ]
    for start in range(0, len(samples), batch_size):
        metric.process([], samples[start : start + batch_size])
    return metric.evaluate(len(samples))


def random_predictions(classes=CLASSES):
    """Classes of unequal size, and each of its own difficulty."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes - 2, VIDEOS - classes)])
    scores = rng.random((VIDEOS, classes))
    scores[np.arange(VIDEOS), labels] += 0.1 * labels
    return scores, labels


@pytest.mark.parametrize('batch_size', [1, 16])
def test_counts_all_classes_and_each_subset(batch_size):
    scores, labels = random_predictions()
    found = evaluate(scores, labels, batch_size=batch_size)
    top5 = np.argsort(scores, axis=1)[:, -5:]
    right = top5[:, -1] == labels
    by_class = [right[labels == label].mean() for label in range(CLASSES)]
    expected = {
        'acc/top1': right.mean(),
        'acc/top5': (top5 == labels[:, None]).any(1).mean(),
        'acc/mean1': np.mean(by_class),
        'acc/static_mean1': np.mean([by_class[label] for label in SUBSETS['static']]),
        'acc/dynamic_mean1': np.mean([by_class[label] for label in SUBSETS['dynamic']]),
    }
    assert found == pytest.approx(expected)
    assert len({round(value, 9) for value in expected.values()}) == 5  # none stands for another


def test_a_class_without_videos_is_left_out():
    scores, labels = np.eye(CLASSES)[[6, 1, 1]], np.array([6, 0, 1])
    found = evaluate(scores, labels)
    assert found['acc/static_mean1'] == 0.5  # class 3 has no video
    assert found['acc/dynamic_mean1'] == 1
    assert np.isnan(evaluate(scores[:1], labels[:1])['acc/dynamic_mean1'])


@pytest.fixture
def log(monkeypatch):
    lines = []
    logger = logging.getLogger('subset_acc_metric_test')
    monkeypatch.setattr(logger, 'info', lines.append)
    monkeypatch.setattr(MMLogger, 'get_current_instance', lambda: logger)
    return lines


def test_the_table_shows_each_class_worst_first(log):
    scores, labels = np.eye(CLASSES)[[6, 1, 1, 1]], np.array([6, 0, 1, 1])
    evaluate(scores, labels, meta=dict(classes=list('abcdefg')))
    rows = [line.split(' | ') for line in log[0].splitlines()[3:]]
    assert rows[:3] == [
        ['a', 'static', '1', '0.0000'],
        ['b', 'dynamic', '2', '1.0000'],
        ['g', 'static', '1', '1.0000'],
    ]
    assert [row[3] for row in rows[3:]] == ['-'] * 4


def test_the_table_can_be_left_out_and_needs_no_class_names(log):
    scores, labels = random_predictions()
    evaluate(scores, labels, per_class_table=False)
    assert not log
    evaluate(scores, labels)
    assert {line.split(' | ')[0] for line in log[0].splitlines()[3:]} == set('0123456')


def test_subsets_of_another_data_set_are_refused():
    scores, labels = random_predictions(classes=8)
    with pytest.raises(ValueError, match=r'as many classes as the model scores \(8\), got 7'):
        evaluate(scores, labels)
    with pytest.raises(ValueError, match=r'SubsetAccMetric: subsets must hold each class of 0..1'):
        evaluate(scores, labels, subsets=dict(static=[0], dynamic=[0]))
