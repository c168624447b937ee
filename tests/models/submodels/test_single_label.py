"""Distillation is of softmax heads: one of several classes a video is refused when it is built."""

import pytest
import tiny_dtkd
import tiny_mbd

from mmaction_kd.registry import MODELS

SEVERAL = {
    'multi_class=True': dict(multi_class=True),
    'loss_cls of type BCELossWithLogits': dict(loss_cls=dict(type='BCELossWithLogits')),
}


@pytest.mark.parametrize('part', ['local_pathway', 'global_pathway'])
@pytest.mark.parametrize('got', SEVERAL)
def test_a_pathway_of_several_classes_a_video(got, part):
    cfg = tiny_mbd.mbd_config()
    cfg[part]['cls_head'].update(SEVERAL[got])
    with pytest.raises(
        ValueError, match=f'MBDRecognizer: the head of {part} .*one class, got {got}'
    ):
        MODELS.build(cfg)


@pytest.mark.parametrize('part', ['student', 'static'])
@pytest.mark.parametrize('got', SEVERAL)
def test_a_student_or_a_teacher_of_several_classes_a_video(got, part):
    cfg = tiny_dtkd.distiller_config()
    (cfg[part] if part == 'student' else cfg['teachers'][part])['cls_head'].update(SEVERAL[got])
    with pytest.raises(ValueError, match=f'Distiller: the head of {part} must .*, got {got}'):
        MODELS.build(cfg)
