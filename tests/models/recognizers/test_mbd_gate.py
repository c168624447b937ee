"""A gated test: the global pathway sees the videos that the local one is unsure of."""

import pickle

import mbd_oracle
import numpy as np
import pytest
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

from mmaction_kd.evaluation.dumped_scores import load_scores
from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.registry import METRICS, MODELS
from mmaction_kd.report.class_counts import PredictionCounts
from mmaction_kd.visualization import explain_video

VIDEOS, VIEWS = 12, 2


def predict(model, num_videos=VIDEOS):
    inputs, samples = tiny_mbd.batch(num_videos, VIEWS)
    with torch.no_grad():
        return model.predict(inputs, samples)


def models(gate, **head):
    """Without and with a gate, the same weights; what the second's global pathway saw."""
    kind = dict(type='mmaction_kd.AdaptiveFusionHead', **head)
    plain, gated = (
        tiny_mbd.build(fusion_head=dict(kind, gate=value)).eval() for value in (None, gate)
    )
    seen = []
    gated.global_pathway.backbone.register_forward_pre_hook(
        lambda _, inputs: seen.append(len(inputs[0]) // VIEWS)
    )
    return plain, gated, seen


def dominances(samples):
    return np.array([sample.local_dominance.item() for sample in samples])


@pytest.mark.parametrize('share', [1, 5, 11])
@pytest.mark.parametrize('head', [{}, dict(weights='average', combine='max')], ids=['', 'max'])
def test_scores_equal_the_numpy_oracle(share, head):
    """Fused by equations 14 and 15 where local dominance is below the gate, else local."""
    both = predict(models(None)[0])
    gate = float(np.sort(dominances(both))[share])  # a video of this very dominance is sure
    _, gated, seen = models(gate, **head)
    local, global_ = (
        np.array([s.get(f'{h}_score').double().numpy() for s in both]) for h in PATHWAYS
    )
    fused, *_ = mbd_oracle.eq14_15({'local': local, 'global': global_})
    if head:
        fused = np.maximum(local, global_) / np.maximum(local, global_).sum(1, keepdims=True)
    found = predict(gated)
    assert seen == [share]
    for i, sample in enumerate(found):
        d = mbd_oracle.eq1(local[i], np.eye(tiny_mbd.CLASSES)).max()
        expected = fused[i] if d < gate - 1e-12 else local[i]
        np.testing.assert_allclose(sample.pred_score, expected, atol=1e-6)
        assert sample.pred_label.item() == expected.argmax()
        assert sample.local_dominance.item() == pytest.approx(d)
        np.testing.assert_allclose(sample.local_score, local[i], atol=1e-6)
        assert ('global_score' in sample) == ('global_dominance' in sample) == (d < gate - 1e-12)
        if 'global_score' not in sample:
            assert (sample.local_weight.item(), sample.global_weight.item()) == (1, 0)
            assert torch.equal(sample.pred_score, sample.local_score)


def test_a_gate_that_lets_all_pass_changes_nothing():
    plain, gated, seen = models(1.0)
    for sample, expected in zip(predict(gated), predict(plain), strict=True):
        assert sample.keys() == expected.keys()
        for key, value in expected.items():
            assert torch.equal(sample.get(key), value)
    assert seen == [VIDEOS]


def test_a_gate_that_holds_all_back_is_the_local_pathway():
    plain, gated, seen = models(0.0)
    for sample, expected in zip(predict(gated), predict(plain), strict=True):
        assert torch.equal(sample.pred_score, expected.local_score)
        assert 'global_score' not in sample
    assert seen == []


def test_training_knows_no_gate():
    plain, gated, _ = models(0.0)
    inputs, samples = tiny_mbd.batch(4)
    losses = [model.train().loss(inputs, samples) for model in (plain, gated)]
    assert losses[0].keys() == losses[1].keys()
    assert all(torch.equal(losses[0][key], losses[1][key]) for key in losses[0])


@pytest.mark.parametrize('gate', [-0.1, 1.5])
def test_a_gate_out_of_range_is_refused(gate):
    head = dict(type='mmaction_kd.AdaptiveFusionHead', num_classes=4, gate=gate)
    with pytest.raises(ValueError, match=r'gate must be in \[0, 1\], got'):
        MODELS.build(head)


def test_a_fusion_of_features_has_no_gate():
    with pytest.raises(TypeError, match=r"FeatureFusionHead.* argument 'gate'"):
        MODELS.build(dict(type='mmaction_kd.FeatureFusionHead', num_classes=4, gate=0.3))


def half_gated():
    """Predictions of which the global pathway saw five, and without a gate."""
    both = predict(models(None)[0])
    return predict(models(float(np.sort(dominances(both))[5]))[1]), both


def test_the_metric_tells_the_share_and_the_accuracy_where_the_global_pathway_ran():
    gated, _ = half_gated()
    metric = METRICS.build(
        dict(
            type='mmaction_kd.PathwayAccMetric',
            metric_options=dict(top_k_accuracy=dict(topk=(1,))),
        )
    )
    metric.process([], [sample.to_dict() for sample in gated])
    found = metric.evaluate(VIDEOS)
    assert found.pop('acc/global_share') == pytest.approx(5 / VIDEOS)
    own = [s for s in gated if 'global_score' in s]
    for name, field, videos in (
        ('fused', 'pred_score', gated),
        ('local', 'local_score', gated),
        ('global', 'global_score', own),
    ):
        right = np.array([s.get(field).argmax().item() == s.gt_label.item() for s in videos])
        labels = np.array([s.gt_label.item() for s in videos])
        by_class = [right[labels == k].mean() for k in np.unique(labels)]
        assert found.pop(f'acc/{name}_top1') == pytest.approx(right.mean())
        assert found.pop(f'acc/{name}_mean1') == pytest.approx(np.mean(by_class))
    assert not found
    metric.process([], [s.to_dict() for s in gated if s not in own])
    found = metric.evaluate(VIDEOS - 5)
    assert found['acc/global_share'] == 0
    assert not [key for key in found if key.startswith('acc/global_') and 'share' not in key]


def test_a_gated_dump_is_refused_by_name(tmp_path):
    gated, _ = half_gated()
    samples = [sample.to_dict() for sample in gated]
    (tmp_path / 'gated.pkl').write_bytes(pickle.dumps(samples, 2))
    with pytest.raises(ValueError, match=r'the same fields .* model\.fusion_head\.gate=None'):
        load_scores(tmp_path / 'gated.pkl')


def test_the_reports_counts_leave_out_a_pathway_that_did_not_see_every_video():
    gated, both = half_gated()
    counts = PredictionCounts(VIDEOS)
    for start in range(0, VIDEOS, 4):
        counts.add(gated[start : start + 4])
    found = counts.reduced()
    assert list(found['hits_of']) == ['local']
    own = np.array([s.gt_label.item() for s in gated])
    weights = np.array([s.global_weight.item() for s in gated])
    for k, mean in enumerate(found['weights']['global']['mean']):
        assert mean == (pytest.approx(weights[own == k].mean(), abs=1e-4) if k in own else None)
    counts = PredictionCounts(VIDEOS)
    counts.add(both)
    assert sorted(counts.reduced()['hits_of']) == ['global', 'local']


def test_a_picture_shows_the_pathway_that_ran_and_says_why():
    _, gated, seen = models(0.0)
    clip = torch.randint(0, 256, (VIEWS, 3, 4, 16, 16), dtype=torch.uint8)
    inputs = {f'{name}_pathway': clip for name in PATHWAYS}
    sample = ActionDataSample().set_gt_label(1)
    with torch.no_grad():
        [sample] = gated.test_step(pseudo_collate([dict(inputs=inputs, data_samples=sample)]))
    picture = explain_video(gated, inputs, sample, 'a.mp4', 'abcd')
    assert [view.name for view in picture.views] == ['Local pathway']
    local, fused = picture.scores
    assert (local.values == fused.values).all() and fused.note == '1.00 × local'
    assert 'did not run: local dominance is at least 0.' in picture.notes[-1]
    assert seen == []
