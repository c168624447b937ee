"""Truth: Table 6 of DTKD, and distances summed in NumPy."""

import math

import numpy as np
import pytest
import torch

from mmaction_kd.evaluation.selectivity_metric import selectivity
from mmaction_kd.registry import METRICS

SUBSETS = dict(static=[1, 4], dynamic=[0, 2, 3])
K = 5
# Table 6: subset, KL to its own teacher and to the other, SM, SIR. The last SIR is printed as 7.00.
TABLE_6 = dict(
    ucf101=dict(static=(0.097, 16.55, 16.45, 170.62), dynamic=(0.13, 26.20, 26.07, 201.54)),
    hmdb51=dict(static=(1.91, 18.40, 16.49, 9.63), dynamic=(1.88, 15.04, 13.16, 8.00)),
)
OTHER = dict(static='dynamic', dynamic='static')


@pytest.mark.parametrize('data', TABLE_6)
def test_table_6(data):
    rows = TABLE_6[data]
    kl = {t: {t: rows[t][0], OTHER[t]: rows[OTHER[t]][1]} for t in rows}
    for subset, values in selectivity(kl).items():
        assert values['sm'] == pytest.approx(rows[subset][2], abs=0.006)
        assert values['sir'] == pytest.approx(rows[subset][3], abs=0.006)


@pytest.mark.parametrize(
    ('data', 'videos', 'overall'),
    [
        ('ucf101', dict(static=1011, dynamic=2772), dict(static=19.22, dynamic=4.52)),
        ('hmdb51', dict(static=390, dynamic=1140), dict(static=11.69, dynamic=6.09)),
    ],
)
def test_table_6_overall_is_the_mean_over_videos(data, videos, overall):
    rows = TABLE_6[data]
    metric = METRICS.build(dict(type='mmaction_kd.SelectivityMetric', subsets=SUBSETS))
    results = [
        dict(subset=subset, **{subset: rows[subset][0], OTHER[subset]: rows[subset][1]})
        for subset, count in videos.items()
        for _ in range(count)
    ]
    found = metric.compute_metrics(results)
    for teacher, value in overall.items():
        assert found[f'{teacher}_teacher_all'] == pytest.approx(value, abs=0.006)


def predictions(zeros=True):
    rng = np.random.default_rng(0)
    samples = []
    for label in [1, 4, 4, 0, 2, 3, 3]:
        scores = {'pred_score': rng.dirichlet(np.ones(K))}
        for name, classes in SUBSETS.items():
            q = rng.random(K) + 0.1
            if zeros:
                q[[k for k in range(K) if k not in classes]] = 0
            scores[f'{name}_score'] = q / q.sum()
        samples.append(dict(gt_label=np.array([label]), **scores))
    return samples


def evaluate(samples, **settings):
    metric = METRICS.build(dict(type='mmaction_kd.SelectivityMetric', subsets=SUBSETS, **settings))
    samples = [{key: torch.from_numpy(value) for key, value in s.items()} for s in samples]
    metric.process([], samples[:3])
    metric.process([], samples[3:])
    return metric.evaluate(len(samples))


def kl(a, b):
    return sum(x * math.log(x / y) for x, y in zip(a, b, strict=True) if x > 0)


@pytest.mark.parametrize(
    ('settings', 'zeros'),
    [
        (dict(), True),
        (dict(eps=0.05), True),
        (dict(direction='student_teacher'), False),
        (dict(direction='student_teacher', eps=1e-6), True),
    ],
)
def test_distances_and_their_means(settings, zeros):
    samples = predictions(zeros)
    found = evaluate(samples, **settings)
    eps = settings.get('eps', 0)
    expected = {}
    for name in SUBSETS:
        values = []
        for sample in samples:
            pair = [sample[f'{name}_score'], sample['pred_score']]
            if settings.get('direction') == 'student_teacher':
                pair.reverse()
            values.append(kl(pair[0], np.maximum(pair[1], eps)))
        static = [v for v, s in zip(values, samples, strict=True) if s['gt_label'][0] in (1, 4)]
        dynamic = [v for v, s in zip(values, samples, strict=True) if s['gt_label'][0] in (0, 2, 3)]
        expected[f'selectivity/{name}_teacher_all'] = np.mean(values)
        expected[f'selectivity/{name}_teacher_static'] = np.mean(static)
        expected[f'selectivity/{name}_teacher_dynamic'] = np.mean(dynamic)
    for name, other in OTHER.items():
        own = expected[f'selectivity/{name}_teacher_{name}']
        cross = expected[f'selectivity/{other}_teacher_{name}']
        expected[f'selectivity/{name}_sm'] = cross - own
        expected[f'selectivity/{name}_sir'] = cross / own
    assert found == pytest.approx(expected)


def test_a_student_that_is_its_teacher_and_a_subset_without_videos():
    sample = predictions()[0]
    found = evaluate([dict(sample, pred_score=sample['static_score'])])
    assert found['selectivity/static_teacher_static'] == pytest.approx(0, abs=1e-12)
    assert math.isnan(found['selectivity/static_teacher_dynamic'])
    # the student gives the dynamic classes 0: far, but finite
    assert 100 < found['selectivity/dynamic_teacher_static'] < 1000


def test_the_samples_stay_as_they_are():
    sample = {key: torch.from_numpy(value) for key, value in predictions()[0].items()}
    before = {key: value.clone() for key, value in sample.items()}
    metric = METRICS.build(dict(type='mmaction_kd.SelectivityMetric', subsets=SUBSETS))
    metric.process([], [sample])
    assert set(sample) == set(before)
    assert all(torch.equal(sample[key], before[key]) for key in before)


@pytest.mark.parametrize(
    ('settings', 'change', 'words'),
    [
        (dict(direction='both'), {}, "direction must be one of .*got 'both'"),
        (dict(eps=1), {}, r'eps must be in \[0, 1\), got 1'),
        (dict(direction='student_teacher'), {}, "got 0 from 'static'.*full heads"),
        ({}, dict(pred_score=np.ones(K)), "'pred_score' must be probabilities .*sum 5"),
        ({}, dict(static_score=np.ones(2) / 2), r"'static_score' .* 5 classes, got shape \(2,\)"),
    ],
)
def test_what_makes_no_sense_is_refused(settings, change, words):
    with pytest.raises(ValueError, match=words):
        evaluate([dict(predictions()[0], **change)], **settings)


def test_predictions_without_a_teacher_are_refused():
    sample = predictions()[0]
    del sample['dynamic_score']
    with pytest.raises(ValueError, match=r"must hold 'dynamic_score', got .*the distiller"):
        evaluate([sample])
