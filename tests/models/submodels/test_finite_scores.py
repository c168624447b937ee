"""A model that has lost its numbers ends the run, and tells which part and which videos."""

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from short_runs import make_run

from mmaction_kd.models.checks import check_losses, check_scores

VIDEOS = ['abseiling/a.mp4', 'b.mp4', 'c.mp4']
PARTS = dict(
    mbd=('local_pathway', 'global_pathway'),
    dtkd=('student', 'dynamic', 'static'),
)
ALL_PARTS = [(method, part) for method, parts in PARTS.items() for part in parts]


def tiny(method):
    """A model, its part by name, and a batch of three named videos of one class."""
    if method == 'mbd':
        model, batch = tiny_mbd.build(), tiny_mbd.batch(3)
        parts = {f'{name}_pathway': part for name, part in model.pathways.items()}
    else:
        model = tiny_dtkd.build(tiny_dtkd.distiller_config(predict_teachers=True))
        model.load_teachers()
        parts = dict(student=model.student, **model.teachers)
        batch = tiny_dtkd.batch([1, 0, 3])
    for path, sample in zip(VIDEOS, batch[1], strict=True):
        sample.set_metainfo(dict(filename=path))
    return model, parts, batch


def spoil_scores(part, value, *rows):
    """From now on a part says this of the first class of some videos of a batch."""

    def spoil(_module, _args, scores):
        mask = torch.zeros_like(scores, dtype=torch.bool)
        mask[list(rows), 0] = True
        return scores.masked_fill(mask, value)

    part.cls_head.register_forward_hook(spoil)


@pytest.mark.parametrize(('mode', 'value'), [('loss', torch.nan), ('predict', torch.inf)])
@pytest.mark.parametrize(('method', 'name'), ALL_PARTS)
def test_a_part_that_loses_its_numbers_with_a_video_is_named_with_it(method, name, value, mode):
    model, parts, batch = tiny(method)
    model.train(mode == 'loss')
    spoil_scores(parts[name], value, 1)
    words = (
        rf"the scores of {name} must be finite, got (nan|inf) for 'b\.mp4' of 3 videos; its "
        r'weights are finite, .* with these videos; check them .* float16'
    )
    with pytest.raises(FloatingPointError, match=words):
        model(*batch, mode=mode)


@pytest.mark.parametrize('mode', ['loss', 'predict'])
@pytest.mark.parametrize(('method', 'name'), ALL_PARTS)
def test_no_video_is_blamed_where_the_weights_are_no_numbers(method, name, mode):
    model, parts, batch = tiny(method)
    model.train(mode == 'loss')
    torch.nn.init.constant_(next(parts[name].backbone.parameters()), torch.nan)
    words = (
        rf"the scores of {name} must be finite, got nan for all 3 videos \('abseiling/a\.mp4', .*"
        r'its weights are not finite either, so no video is to blame'
    )
    with pytest.raises(FloatingPointError, match=words):
        model(*batch, mode=mode)


@pytest.mark.parametrize('method', PARTS)
def test_videos_without_a_name_are_told_by_their_place(method):
    model, parts, (inputs, samples) = tiny(method)
    spoil_scores(parts[PARTS[method][0]], torch.nan, 0, 2)
    nameless = [type(sample)().set_gt_label(sample.gt_label) for sample in samples]
    words = r'got nan for video 0 of the batch, video 2 of the batch of 3 videos \(PackActionInputs'
    with pytest.raises(FloatingPointError, match=words):
        model(inputs, nameless, mode='loss')


def test_a_fusion_that_loses_its_numbers_is_named():
    head = dict(type='mmaction_kd.FeatureFusionHead')
    model = tiny_mbd.build(fusion_head=head)
    inputs, samples = tiny_mbd.batch(2)
    torch.nn.init.constant_(model.fusion_head.fc_cls.bias, torch.nan)
    with pytest.raises(FloatingPointError, match=r"must be finite, got {'fused/loss_cls': nan}"):
        model(inputs, samples, mode='loss')
    with pytest.raises(FloatingPointError, match=r'of fusion_head .* weights are not finite'):
        model.eval()(inputs, samples, mode='predict')


def test_features_that_are_no_numbers_are_told_by_their_loss():
    """The scores may be sound: nothing of the projectors is in them."""
    model, _, batch = tiny('mbd')
    projector = model.distill_loss.projectors['local_to_global'][0]
    torch.nn.init.constant_(projector.weight, torch.inf)
    words = r"got {'local/loss_intermediate': (nan|inf)} for all 3 videos .* the scores are finite"
    with pytest.raises(FloatingPointError, match=words):
        model(*batch, mode='loss')


def test_a_class_that_can_not_be_is_no_fault():
    """Minus infinity is a masked class; its probability, 0, is a number."""
    model, parts, batch = tiny('mbd')
    spoil_scores(parts['local_pathway'], -torch.inf, 0, 1, 2)
    scores = [sample.local_score for sample in model.eval()(*batch, mode='predict')]
    assert all(score[0] == 0 and score.sum().item() == pytest.approx(1) for score in scores)


def test_only_what_is_summed_must_be_finite():
    losses = dict(loss=torch.tensor(1.0), top1_acc=torch.tensor(torch.nan))
    check_losses('MBD', losses, {}, {}, [])
    with pytest.raises(FloatingPointError, match=r"got {'a/loss_b': nan}"):
        check_losses('MBD', {'a/loss_b': losses['top1_acc'], **losses}, {}, {}, [])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_the_largest_scores_of_half_precision_are_finite(dtype):
    scores = torch.full((2, 3), torch.finfo(dtype).max, dtype=dtype)
    check_scores('MBD', dict(local_pathway=scores), {}, [])


@pytest.mark.parametrize('method', PARTS)
def test_a_run_with_much_too_high_a_learning_rate_ends(method, tmp_path):
    """The step that spoils the weights has finite losses; the next one tells."""
    wrapper = dict(optimizer=dict(type='SGD', lr=1e38))
    runner = make_run(method, tmp_path / 'run', backbone='conv', optim_wrapper=wrapper, epochs=3)
    with pytest.raises(FloatingPointError, match=r'must be finite, got .* for all 4 videos'):
        runner.train()
    assert runner.iter < 6
