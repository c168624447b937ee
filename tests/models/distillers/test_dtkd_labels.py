"""Labels of DTKD: each video has one class, whose teacher is responsible."""

import pytest
import tiny_dtkd
import tiny_store
import torch
from mmengine.registry import DefaultScope

from mmaction_kd.engine import record_teachers as recording
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.view_replay import build_dataset

K = tiny_dtkd.CLASSES
WEIGHTINGS = ['HybridScore', 'ResponsibleTeacher']


def with_labels(samples, labels):
    for place, (sample, label) in enumerate(zip(samples, labels, strict=True)):
        sample.set_gt_label(label)
        sample.set_metainfo(dict(filename=f'{place}.mp4'))
    return samples


@pytest.mark.parametrize('frozen', [True, False])
@pytest.mark.parametrize('kind', WEIGHTINGS)
def test_a_soft_label_has_no_responsible_teacher(kind, frozen):
    model = tiny_dtkd.build(
        tiny_dtkd.distiller_config(loss=dict(weighting=kind), frozen_teachers=frozen)
    )
    inputs, samples = tiny_dtkd.batch([0, 1])
    words = r"one class for the teacher that is responsible, got a soft label for '0\.mp4'.*Mixup"
    with pytest.raises(ValueError, match=words):
        model(inputs, with_labels(samples, torch.full((2, K), 1 / K)), mode='loss')


@pytest.mark.parametrize('label', [-1, K])
def test_a_label_that_is_no_class_is_told_with_the_video(label):
    inputs, samples = tiny_dtkd.batch([0, 0])
    words = rf"DualTeacherDistiller: the label .* 0\.\.5, got {label} for '1\.mp4'"
    with pytest.raises(ValueError, match=words):
        tiny_dtkd.build()(inputs, with_labels(samples, [0, label]), mode='loss')


@pytest.mark.parametrize('labels', [[0], [1], [0, 0, 0], [1, 1, 1], list(range(K))])
@pytest.mark.parametrize('kind', WEIGHTINGS)
def test_one_video_one_class_and_as_many_videos_as_classes(labels, kind):
    """An empty subset included; every gradient is finite."""
    model = tiny_dtkd.build(tiny_dtkd.distiller_config(loss=dict(weighting=kind))).eval()
    losses = model(*tiny_dtkd.batch(labels), mode='loss')
    assert all(value.isfinite() for value in losses.values())
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    grads = [p.grad for p in model.student.parameters() if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)


def test_a_store_is_not_made_of_soft_labels(tiny_videos, tmp_path, monkeypatch):
    with DefaultScope.overwrite_default_scope('mmaction'):
        cfg = tiny_store.dataset_config(tiny_videos, tmp_path)
        model = MODELS.build(tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path)))
        model.load_teachers()
        dataset = build_dataset(cfg, 'a test')
        replay = recording.replay_view

        def softly(*args):
            sample = replay(*args)
            sample['data_samples'].set_gt_label(torch.full((K,), 1 / K))
            return sample

        monkeypatch.setattr(recording, 'replay_view', softly)
        with pytest.raises(ValueError, match=r'Stored teachers: .*one class .* got a soft label'):
            list(recording.live_views(model, dataset, [[(0, 0)]], seed=0, num_workers=0))
