"""Labels of MBD: soft ones where they make sense, wrong ones told, batches at the edge."""

import copy

import numpy as np
import pytest
import tiny_mbd
import torch

from mmaction_kd.models.dominance import PATHWAYS

K = tiny_mbd.CLASSES


def with_labels(samples, labels):
    for place, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        sample.set_gt_label(label)
        sample.set_metainfo(dict(filename=f'{place}.mp4'))
    return samples


def random_soft(count):
    return torch.rand(count, K, generator=torch.Generator().manual_seed(1)).softmax(1)


@pytest.mark.parametrize('count', [1, 3, K])
def test_a_soft_label_enters_the_cross_entropy_and_nothing_else(count):
    model = tiny_mbd.build()
    inputs, samples = tiny_mbd.batch(count)
    soft = random_soft(count)
    ours = model(inputs, with_labels(samples, soft), mode='loss')
    logits = model(inputs)
    hard = model(inputs, with_labels(samples, soft.argmax(1)[:, None]), mode='loss')
    for name in PATHWAYS:
        log_p = logits[name].detach().double().log_softmax(1).numpy()
        by_hand = -np.mean([sum(t * z) for t, z in zip(soft.numpy(), log_p, strict=True)])
        assert ours[f'{name}/loss_cls'].item() == pytest.approx(by_hand, abs=1e-5)
        assert ours[f'{name}/loss_cls'] != hard[f'{name}/loss_cls']
    others = {key for key in hard if 'loss_cls' not in key and 'top' not in key}
    assert others > {'local/loss_final', 'global/loss_intermediate', 'local/dominance_share'}
    for key in (*others, 'fused/top1_acc'):
        torch.testing.assert_close(ours[key], hard[key], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ('changes', 'needs'),
    [
        (dict(distill_loss=dict(require_teacher_correct=True)), 'require_teacher_correct=True'),
        (dict(distill_loss=dict(dominance=dict(reduce='target'))), "reduce='target'"),
        (dict(distill_loss=dict(dominance=dict(normalizer='batch_labels'))), "'batch_labels'.*"),
        (dict(distill_loss=dict(dominance=dict(labels='centers'))), "labels='centers'"),
        (dict(fusion_head=dict(dominance=dict(labels='centers'))), "labels='centers'"),
        (
            dict(fusion_head=dict(type='mmaction_kd.FeatureFusionHead')),
            'cross-entropy of FeatureFusionHead',
        ),
    ],
)
def test_settings_that_need_one_class_refuse_a_soft_label(changes, needs):
    cfg = tiny_mbd.mbd_config()
    for part, settings in changes.items():
        cfg[part].update(settings)
    model = tiny_mbd.build(**{part: cfg[part] for part in changes})
    inputs, samples = tiny_mbd.batch(2)
    assert model(inputs, samples, mode='loss')
    with pytest.raises(ValueError, match=f"one class for .*{needs}, got a soft label for '0.mp4'"):
        model(inputs, with_labels(samples, random_soft(2)), mode='loss')


@pytest.mark.parametrize('label', [-1, K])
def test_a_label_that_is_no_class_is_told_with_the_video(label):
    inputs, samples = tiny_mbd.batch(3)
    words = rf"MBDRecognizer: the label must be a class of 0\.\.3, got {label} for '2\.mp4'"
    with pytest.raises(ValueError, match=words):
        tiny_mbd.build()(inputs, with_labels(samples, [0, 1, label]), mode='loss')


def test_as_many_videos_as_classes_are_counted_one_by_one():
    """The losses of a batch of K are the means of those of its videos alone."""
    model = tiny_mbd.build(
        distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', layers='none')
    )
    inputs, samples = tiny_mbd.batch(K)
    whole = model(inputs, samples, mode='loss')
    alone = [
        model({key: x[i : i + 1] for key, x in inputs.items()}, samples[i : i + 1], mode='loss')
        for i in range(K)
    ]
    for key, value in whole.items():
        if 'top5' not in key:
            mean = np.mean([float(one[key].detach()) for one in alone])
            assert float(value.detach()) == pytest.approx(mean, abs=1e-5), key


def one_class(**changes):
    pathways = {
        f'{name}_pathway': tiny_mbd.pathway(width, 1)
        for name, width in zip(PATHWAYS, (8, 12), strict=True)
    }
    for pathway in pathways.values():
        pathway['cls_head']['num_classes'] = 1
    return tiny_mbd.build(**pathways, **changes)


@pytest.mark.parametrize('count', [1, 2])
def test_one_class_works_and_teaches_nothing(count):
    """Dominance is 1 of 1, a tie; every final distance is 0."""
    model = one_class()
    inputs, samples = tiny_mbd.batch(count)
    losses = model(inputs, with_labels(samples, [0] * count), mode='loss')
    assert losses['global/dominance_share'] == 1
    for name in PATHWAYS:
        assert losses[f'{name}/loss_cls'] == losses[f'{name}/loss_final'] == 0
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    told = model.eval()(inputs, samples, mode='predict')
    assert [(s.pred_score.item(), s.local_weight.item()) for s in told] == [(1, 0.5)] * count


def test_equal_pathways_tie_and_teach_nothing():
    model = tiny_mbd.build(
        global_pathway=tiny_mbd.pathway(8, 1),
        distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', layers='final'),
    )
    model.global_pathway.load_state_dict(model.local_pathway.state_dict())
    inputs, samples = tiny_mbd.batch(3)
    inputs['global_pathway'] = inputs['local_pathway']
    losses = model(inputs, samples, mode='loss')
    assert losses['global/dominance_share'] == 1
    assert losses['local/loss_final'].item() == pytest.approx(0, abs=1e-6)
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)
    told = model.eval()(inputs, copy.deepcopy(samples), mode='predict')
    for sample in told:
        assert sample.local_weight == sample.global_weight == 0.5
        torch.testing.assert_close(sample.pred_score, sample.local_score, check_dtype=False)
