"""The content of a picture is what the model itself computes."""

from pathlib import Path

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

import mmaction_kd
from mmaction_kd.models.submodels.outputs import score_views
from mmaction_kd.registry import MODELS
from mmaction_kd.visualization import explain_video

VIEWS = 3


def packed(views=VIEWS, frames=4, label=1, seed=0):
    """One video as a pipeline packs it."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(
        0, 256, (views, 3, frames, 16, 16), generator=generator, dtype=torch.uint8
    )
    return inputs, ActionDataSample().set_gt_label(label)


def predicted(model, inputs, sample):
    model.eval()
    with torch.no_grad():
        [sample] = model.test_step(pseudo_collate([dict(inputs=inputs, data_samples=sample)]))
    return sample


@pytest.fixture
def mbd():
    """An MBD model, the inputs of a video, and its prediction."""
    model = tiny_mbd.build()
    inputs = dict(local_pathway=packed()[0], global_pathway=packed(seed=1)[0])
    return model, inputs, predicted(model, inputs, packed()[1])


def test_of_mbd_both_pathways_and_how_they_are_fused(mbd):
    model, inputs, sample = mbd
    picture = explain_video(model, inputs, sample, 'a.mp4', 'abcd')
    assert [view.name for view in picture.views] == ['Local pathway', 'Global pathway']
    for view, clips in zip(picture.views, inputs.values(), strict=True):
        assert (view.clip.frames == clips[1].permute(1, 2, 3, 0).numpy()).all()
        assert view.attention.shape == (2, 1 + 4)
        assert view.attention.sum(1) == pytest.approx(1, abs=1e-5)
        assert view.heat is None
        assert view.heat_note == 'no Grad-CAM: a VisionTransformer has no feature maps at its end'
    local, other, fused = picture.scores
    weight, rest = sample.local_weight.item(), sample.global_weight.item()
    assert fused.values == pytest.approx(weight * local.values + rest * other.values, abs=1e-6)
    assert fused.values == pytest.approx(sample.pred_score.numpy())
    assert local.note == f'dominance {sample.local_dominance.item():.3f}, weight {weight:.2f}'
    assert fused.note == f'{weight:.2f} × local + {rest:.2f} × global'
    assert (picture.answer, picture.truths) == (sample.pred_score.argmax().item(), (1,))


@pytest.mark.parametrize('kind', ['ratio', 'average'])
def test_the_note_on_larger_weights_stands_only_where_it_holds(kind):
    fusion = dict(type='mmaction_kd.AdaptiveFusionHead', weights=kind)
    model = tiny_mbd.build(fusion_head=fusion)
    inputs = dict(local_pathway=packed()[0], global_pathway=packed(seed=1)[0])
    picture = explain_video(model, inputs, predicted(model, inputs, packed()[1]), '')
    [note] = picture.notes
    assert ('larger weight' in note) == (kind == 'ratio')
    if kind == 'average':
        assert picture.scores[-1].note == '0.50 × local + 0.50 × global'


@pytest.mark.parametrize(
    'fusion',
    [
        dict(type='mmaction_kd.FeatureFusionHead'),
        dict(type='mmaction_kd.AdaptiveFusionHead', combine='max', weights='average'),
    ],
    ids=['trained', 'max'],
)
def test_of_another_fusion_no_weights_are_shown(fusion):
    model = tiny_mbd.build(fusion_head=fusion)
    inputs = dict(local_pathway=packed()[0], global_pathway=packed(seed=1)[0])
    picture = explain_video(model, inputs, predicted(model, inputs, packed()[1]), '')
    words = [scores.note for scores in picture.scores]
    assert not any(', weight' in text or '×' in text for text in words)
    assert not any('weight' in note for note in picture.notes)
    assert words[-1] == f'by {type(model.fusion_head).__name__}, no weighted sum'


def test_attention_is_of_the_view_that_is_shown(mbd):
    model, inputs, sample = mbd
    views = [explain_video(model, inputs, sample, '', view=v).views[1] for v in range(VIEWS)]
    assert abs(views[0].attention - views[1].attention).max() > 1e-3
    alone = {name: clips[1:2] for name, clips in inputs.items()}
    again = explain_video(model, alone, predicted(model, alone, packed()[1]), '')
    assert views[1].attention == pytest.approx(again.views[1].attention)


def test_grad_cam_is_of_the_answer_and_of_the_view():
    model = tiny_dtkd.build(dict(tiny_dtkd.recognizer(), _scope_='mmaction'))
    inputs, sample = packed(label=-1)
    sample = predicted(model, inputs, sample)
    picture = explain_video(model, inputs, sample, '', target_layers=dict(model='backbone.layer2'))
    [view] = picture.views
    assert picture.truths == ()
    assert view.heat.max() == pytest.approx(1)
    # by hand: the gradient of the logit of the answer, of this view alone
    clip = model.data_preprocessor(
        dict(inputs=[inputs[1:2]], data_samples=[sample.clone()]), False
    )['inputs']
    kept = []

    def keep(_module, _args, output):
        output.retain_grad()
        kept.append(output)

    handle = model.backbone.layer2.register_forward_hook(keep)
    score_views(model, clip).logits[0, 0, picture.answer].backward()
    handle.remove()
    [maps] = kept
    heat = (maps.grad.mean((2, 3, 4), keepdim=True) * maps).sum(1, keepdim=True).relu()
    heat = torch.nn.functional.interpolate(heat, (4, 16, 16), mode='trilinear')[0, 0].detach()
    assert view.heat == pytest.approx((heat / heat.max()).numpy(), abs=1e-5)


def test_without_grad_cam_a_plain_recognizer_is_not_run_again():
    model = tiny_dtkd.build(dict(tiny_dtkd.recognizer(), _scope_='mmaction'))
    inputs, sample = packed()
    sample = predicted(model, inputs, sample)
    model.forward = model.backbone.forward = None
    [view] = explain_video(model, inputs, sample, '', with_grad_cam=False).views
    assert (view.heat, view.attention, view.heat_note) == (None, None, '')


@pytest.mark.parametrize('label', [0, 1, -1])
def test_of_a_distiller_who_is_responsible(label):
    """For the true class, or where that is not known for the answer."""
    cfg = tiny_dtkd.distiller_config(predict_teachers=True)
    model = tiny_dtkd.build(dict(cfg, _scope_='mmaction'))
    inputs, sample = packed(label=label)
    sample = predicted(model, inputs, sample)
    picture = explain_video(model, inputs, sample, '')
    decisive = label if label >= 0 else picture.answer
    whose = 'true class' if label >= 0 else 'answer'
    words = {scores.name: scores.note for scores in picture.scores}
    for name, classes in tiny_dtkd.SUBSETS.items():
        own = '' if decisive in classes else 'not '
        assert words[f'Teacher: {name}'] == f'{own}responsible for the {whose}'
    assert picture.scores[-1].name == 'Student: the answer'
    for name, scores in zip(tiny_dtkd.SUBSETS, picture.scores, strict=False):
        assert scores.values == pytest.approx(sample.get(f'{name}_score').numpy())
    assert [view.name for view in picture.views] == ['Student']
    assert picture.views[0].heat is not None


def test_of_a_distiller_alone():
    model = tiny_dtkd.build(dict(tiny_dtkd.distiller_config(), _scope_='mmaction'))
    inputs, sample = packed(label=2)
    picture = explain_video(model, inputs, predicted(model, inputs, sample), '')
    [student] = picture.scores
    assert student.note == 'teacher responsible: static'


def test_a_video_of_several_classes(mbd):
    model, inputs, sample = mbd
    sample.set_gt_label(torch.tensor([1.0, 0.0, 1.0, 0.0]))
    assert explain_video(model, inputs, sample, '').truths == (0, 2)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(classes=['a', 'b']), 'a name for each of 4 classes, got 2'),
        (dict(target_layers=dict(model='backbone')), r"of \['local', 'global'\], got \['model'\]"),
        (dict(target_layers=dict(local='backbone.nothing')), "no module 'nothing'"),
    ],
)
def test_what_does_not_fit_is_an_error(mbd, changes, words):
    with pytest.raises(ValueError, match=words):
        explain_video(*mbd, '', **changes)


def test_no_model_needs_pictures():
    sources = (Path(mmaction_kd.__file__).parent / 'models').rglob('*.py')
    assert not [path for path in sources if 'visualization' in path.read_text()]


def test_scores_of_single_clips_are_refused():
    cfg = tiny_dtkd.recognizer()
    cfg['cls_head']['average_clips'] = None
    model = MODELS.build(dict(cfg, _scope_='mmaction'))
    inputs, sample = packed()
    with pytest.raises(ValueError, match=r"got shape \(3, 6\); set average_clips='prob'"):
        explain_video(model, inputs, predicted(model, inputs, sample), '')
