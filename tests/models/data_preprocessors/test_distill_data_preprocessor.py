"""DistillDataPreprocessor: each model sees videos as it was trained on them."""

import pytest
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from tiny_dtkd import PREPROCESSOR, SUBSETS, batch, distiller_config, recognizer

from mmaction_kd.datasets.transforms import PathwayPipelines
from mmaction_kd.models.data_preprocessors import DistillDataPreprocessor
from mmaction_kd.registry import MODELS


def action_preprocessor(mean=110.0, std=60.0, **kwargs):
    return ActionDataPreprocessor(mean=[mean] * 3, std=[std] * 3, format_shape='NCTHW', **kwargs)


def raw(num=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clips = list(torch.randint(0, 256, (num, 1, 3, 2, 4, 4), generator=generator).byte())
    return dict(inputs=clips, data_samples=[ActionDataSample().set_gt_label(0)] * num)


def test_one_tensor_for_all_that_see_the_same():
    student = action_preprocessor()
    both = DistillDataPreprocessor(student, dict(dynamic=None, static=None))
    data = both(raw(), training=True)
    assert torch.equal(data['inputs'], student(raw())['inputs'])


def test_a_teacher_has_its_own_mean_and_std():
    own = action_preprocessor(0, 255)
    both = DistillDataPreprocessor(action_preprocessor(), dict(dynamic=None, static=own))
    inputs = both(raw(), training=True)['inputs']
    assert inputs['dynamic'] is inputs['student']
    assert torch.equal(inputs['student'], action_preprocessor()(raw())['inputs'])
    torch.testing.assert_close(inputs['static'], torch.stack(raw()['inputs']) / 255)


def test_each_may_have_clips_of_its_own():
    both = DistillDataPreprocessor(action_preprocessor(), dict(static=action_preprocessor(0, 255)))
    clips = dict(student=raw(seed=1)['inputs'], static=raw(seed=2)['inputs'])
    inputs = both({**raw(), 'inputs': clips}, training=True)['inputs']
    assert torch.equal(inputs['student'], action_preprocessor()(raw(seed=1))['inputs'])
    torch.testing.assert_close(inputs['static'], torch.stack(clips['static']) / 255)
    with pytest.raises(ValueError, match=r"hold \['student', 'static'\], got \['student'\]"):
        both({**raw(), 'inputs': dict(student=clips['student'])}, training=True)


def test_at_test_only_the_student_sees_the_video():
    own = action_preprocessor(0, 255)
    alone = DistillDataPreprocessor(action_preprocessor(), dict(static=own))
    assert torch.equal(alone(raw())['inputs'], action_preprocessor()(raw())['inputs'])
    with_teachers = DistillDataPreprocessor(action_preprocessor(), dict(static=own), True)
    assert with_teachers(raw())['inputs'].keys() == {'student', 'static'}


def test_teachers_whose_word_is_stored_see_nothing_in_training():
    own = dict(static=action_preprocessor(0, 255))
    stored = DistillDataPreprocessor(action_preprocessor(), own, teachers_in_training=False)
    expected = action_preprocessor()(raw())['inputs']
    assert torch.equal(stored(raw(), training=True)['inputs'], expected)


@pytest.mark.parametrize('who', ['student', 'static'])
def test_blending_is_refused(who):
    blending = dict(type='MixupBlending', num_classes=6, alpha=0.2, _scope_='mmaction')
    parts = dict(student=action_preprocessor(), static=action_preprocessor())
    parts[who] = action_preprocessor(blending=blending)
    told = rf'{who} must not blend, got MixupBlending.*data_preprocessor=dict\(blending=None\)'
    with pytest.raises(ValueError, match=told):
        DistillDataPreprocessor(parts.pop('student'), parts)


def test_a_distiller_takes_the_preprocessors_from_the_configs():
    """None, or the student's: one tensor for all; another: the teacher's own."""
    other = dict(PREPROCESSOR, mean=[0.0] * 3)
    teachers = dict(static=dict(data_preprocessor=None), dynamic=dict(data_preprocessor=other))
    model = MODELS.build(distiller_config(teachers))
    assert list(model.data_preprocessor.own) == ['dynamic']
    inputs = model.data_preprocessor(raw(), training=True)['inputs']
    assert inputs['static'] is inputs['student']
    torch.testing.assert_close(inputs['dynamic'], torch.stack(raw()['inputs']) / 60)
    assert len(MODELS.build(distiller_config()).data_preprocessor.own) == 0


def test_a_step_with_another_mean_is_the_step_on_what_it_makes():
    other = dict(PREPROCESSOR, mean=[0.0] * 3)
    teachers = {name: dict(data_preprocessor=other) for name in SUBSETS}
    cfg = distiller_config(teachers)
    cfg['student'] = recognizer(cls_head=dict(recognizer()['cls_head'], dropout_ratio=0.0))
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    _, samples = batch([0, 1])
    data = model.data_preprocessor({**raw(), 'data_samples': samples}, training=True)
    loss = model(**data, mode='loss')['loss_kd']
    logits = {
        n: t(torch.stack(raw()['inputs']) / 60, mode='tensor', stage='head')
        for n, t in model.teachers.items()
    }
    student = model.student(data['inputs']['student'], mode='tensor', stage='head')
    expected = model.distill_loss(student, logits, torch.tensor([0, 1]))['loss_kd']
    torch.testing.assert_close(loss, expected)


def test_a_real_video_through_a_pipeline_for_each(tiny_videos):
    """The student's clip and the static teacher's, of another length and size, of one decode."""

    def pathway(clip_len, size):
        return [
            dict(type='SampleFrames', clip_len=clip_len, frame_interval=2, num_clips=1),
            dict(type='DecordDecode'),
            dict(type='Resize', scale=(size, size), keep_ratio=False),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs'),
        ]

    pathways = dict(student=pathway(4, 16), dynamic=pathway(4, 16), static=pathway(8, 24))
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = PathwayPipelines(pathways)
    videos = [dict(filename=str(tiny_videos['long']), label=label) for label in (0, 1, 2)]
    torch.manual_seed(0)
    model = MODELS.build(distiller_config(dict(static=dict(data_preprocessor=None))))
    model.init_weights()
    data = model.data_preprocessor(pseudo_collate([pipeline(v) for v in videos]), training=True)
    shapes = {name: tuple(clips.shape) for name, clips in data['inputs'].items()}
    same = (3, 1, 3, 4, 16, 16)
    assert shapes == dict(student=same, dynamic=same, static=(3, 1, 3, 8, 24, 24))
    losses = model(**data, mode='loss')
    assert losses['loss_kd'].isfinite() and losses['static/share'] == pytest.approx(2 / 3)
