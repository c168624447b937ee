"""Metrics count no video that has lost its numbers or has no class, and name it."""

import pytest
import torch

from mmaction_kd.registry import METRICS

K = 4
SUBSETS = dict(dynamic=[0, 1, 2], static=[3])
FIELDS = dict(
    PathwayAccMetric=['pred_score', 'local_score', 'global_score'],
    SubsetAccMetric=['pred_score'],
    SelectivityMetric=['pred_score', 'dynamic_score', 'static_score'],
)
CASES = [(metric, field) for metric, fields in FIELDS.items() for field in fields]


def process(metric, label=1, dtype=torch.float32, name=True, **changes):
    settings = {} if metric == 'PathwayAccMetric' else dict(subsets=SUBSETS)
    built = METRICS.build(dict(type=f'mmaction_kd.{metric}', **settings))
    scores = torch.tensor([0.1, 0.5, 0.2, 0.2]).to(dtype)
    sample = dict.fromkeys(FIELDS[metric], scores)
    if label is not None:
        sample['gt_label'] = label if isinstance(label, torch.Tensor) else torch.tensor([label])
    if name:
        sample['filename'] = 'abseiling/x.mp4'
    built.process([], [{**sample, **changes}])
    return built.evaluate(1)


@pytest.mark.parametrize('value', [torch.nan, torch.inf])
@pytest.mark.parametrize(('metric', 'field'), CASES)
def test_a_score_that_is_no_number_is_refused(metric, field, value):
    scores = torch.tensor([value, 0.5, 0.2, 0.2])
    words = rf"{metric}: '{field}' must be finite, got {value} for 'abseiling/x\.mp4'"
    with pytest.raises(FloatingPointError, match=words):
        process(metric, **{field: scores})


@pytest.mark.parametrize('metric', FIELDS)
@pytest.mark.parametrize('label', [-1, K])
def test_a_label_that_is_no_class_is_refused(metric, label):
    words = rf"{metric}: the label .* 0\.\.3, those of 'pred_score', got {label} for 'abseiling/x"
    with pytest.raises(ValueError, match=words):
        process(metric, label)


@pytest.mark.parametrize('metric', FIELDS)
@pytest.mark.parametrize(
    ('label', 'got'), [(None, 'none'), (torch.ones(K) / K, r'a label of shape \(4,\)')]
)
def test_a_video_without_one_class_is_refused(metric, label, got):
    with pytest.raises(ValueError, match=f'{metric}: each video must have one class, got {got}'):
        process(metric, label)


@pytest.mark.parametrize('metric', FIELDS)
def test_a_video_without_a_name_says_how_to_get_it(metric):
    with pytest.raises(ValueError, match=r'video 0 of the batch \(PackActionInputs with meta_keys'):
        process(metric, K, name=False)


@pytest.mark.parametrize('metric', FIELDS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_scores_in_half_precision_are_counted(metric, dtype):
    assert process(metric, dtype=dtype) == pytest.approx(process(metric), abs=0.01, nan_ok=True)


def test_one_class_is_counted():
    built = METRICS.build(dict(type='mmaction_kd.PathwayAccMetric'))
    scores = dict.fromkeys(FIELDS['PathwayAccMetric'], torch.ones(1))
    built.process([], [dict(scores, gt_label=torch.tensor([0]))])
    assert set(built.evaluate(1).values()) == {1.0}
