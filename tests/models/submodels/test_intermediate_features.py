"""Intermediate features with and without time: what is taken, aligned, compared and taught."""

import mbd_oracle
import numpy as np
import pytest
import tiny_dtkd
import tiny_mbd
import torch

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.models.losses.dominance_distill_loss import DominanceDistillLoss, align_steps
from mmaction_kd.models.submodels.outputs import pool_feature

CLIPS = (2, 3, 3, 4, 16, 16)  # N, V, C, T, H, W
FRAMES = (2, 4, 3, 16, 16)  # of a Recognizer2D
MAP, FEATURE = 'backbone.layer2', dict(input_shape=(1, 3, 4, 16, 16), tokens='frames')


def with_time(local=MAP, global_='backbone.frame_projection', **changes):
    """A CNN's map (4 steps of the 8 frames) against a VTN's frame tokens (8 steps)."""
    cnn = tiny_dtkd.recognizer(tiny_mbd.CLASSES)
    cnn['backbone'].update(norm_eval=True)
    cnn['cls_head'].update(dropout_ratio=0)
    return tiny_mbd.build(
        local_pathway=cnn,
        features=dict(
            local_pathway=dict(FEATURE, path=local), global_pathway=dict(FEATURE, path=global_)
        ),
        **changes,
    ).double()


def batch(videos=5):
    """Clips of 8 frames."""
    (first, samples), (second, _) = (
        tiny_mbd.batch(videos, seed=seed, dtype=torch.float64) for seed in (0, 1)
    )
    return {key: torch.cat([x, second[key]], 3) for key, x in first.items()}, samples


@pytest.mark.parametrize(
    ('shape', 'input_shape', 'by_hand'),
    [
        ((6, 5, 2, 3, 3), CLIPS, lambda x: x.reshape(2, 3, 5, 2, 9).mean((1, 4)).swapaxes(1, 2)),
        ((6, 4, 5), CLIPS, lambda x: x.reshape(2, 3, 4, 5).mean(1)),
        ((6, 5, 5), CLIPS, lambda x: x.reshape(2, 3, 5, 5)[:, :, 1:].mean(1)),
        ((24, 5), CLIPS, lambda x: x.reshape(2, 3, 4, 5).mean(1)),
        ((24, 7, 5), CLIPS, lambda x: x.reshape(2, 3, 4, 7, 5)[..., 1:, :].mean((1, 3))),
        ((24, 1, 5), CLIPS, lambda x: x.reshape(2, 3, 4, 5).mean(1)),
        ((24, 5, 3, 3), CLIPS, lambda x: x.reshape(2, 3, 4, 5, 9).mean((1, 4))),
        ((8, 5, 3, 3), FRAMES, lambda x: x.reshape(2, 4, 5, 9).mean(3)),
    ],
    ids=['map', 'tokens', 'cls and tokens', 'vector a frame', 'patches', 'cls alone', 'map a frame',
         '2D recognizer'],
)  # fmt: skip
def test_one_vector_a_time_step(shape, input_shape, by_hand):
    output = torch.randn(shape, dtype=torch.float64)
    steps = pool_feature(output, input_shape, 'frames').numpy()
    np.testing.assert_allclose(steps, by_hand(output.numpy()), atol=1e-12)


def test_tokens_that_are_no_time_steps_are_refused():
    with pytest.raises(ValueError, match=r"tokens='frames' needs .*got \(6, 9, 5\).*frame_proj"):
        pool_feature(torch.randn(6, 9, 5), CLIPS, 'frames')
    with pytest.raises(ValueError, match=r"tokens must be one of .*'frames'\], got 'max'"):
        tiny_mbd.build(features=dict(local_pathway=dict(path='backbone', tokens='max')))


@pytest.mark.parametrize('steps', [1, 2, 4, 8, 16])
def test_steps_at_the_same_relative_position_are_aligned(steps):
    """One course over the clip, sampled finely and coarsely, is the same after alignment."""

    def course(count):  # at the middle of each step, two dimensions
        position = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        return torch.stack([position, 3 - 2 * position], 1)[None]

    fine, coarse = align_steps(course(16), course(steps))
    assert fine.shape == coarse.shape == (1, steps, 2)
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-12)
    assert all(torch.equal(a, b) for a, b in zip(
        align_steps(course(steps), course(16)), (coarse, fine), strict=True))  # fmt: skip
    if steps > 1:  # not by chance: played backwards, the courses differ
        back, coarse = align_steps(course(16).flip(1), course(steps))
        assert (back - coarse).abs().max() > 0.4


@pytest.mark.parametrize('projection', ['student', 'teacher'])
def test_the_loss_over_time_steps_equals_a_second_computation(projection):
    """(10), (11) in NumPy: features by hooks, places and pairs of steps averaged by loops."""
    loss = dict(type='mmaction_kd.DominanceDistillLoss', projection=projection)
    model = with_time(distill_loss=loss)
    model.local_pathway.cls_head.fc_cls.weight.data.mul_(0.3)  # as confident as the other
    inputs, samples = batch()
    raw, logits = {}, {}
    for name, path in zip(PATHWAYS, (MAP, 'backbone.frame_projection'), strict=True):
        pathway = model.pathways[name]
        module = pathway.get_submodule(path)
        handle = module.register_forward_hook(lambda _m, _i, out, n=name: raw.update({n: out}))
        views = pathway(inputs[f'{name}_pathway'], mode='tensor', stage='head')
        logits[name] = views.detach().numpy()
        handle.remove()
    assert raw['local'].shape[2] == 4 and raw['global'].shape[1] == 8
    feats = {h: np.zeros((5, 4, dims)) for h, dims in (('local', 4), ('global', 12))}
    for i in range(5):
        for step in range(4):
            feats['local'][i, step] = raw['local'][i, :, step].detach().numpy().mean((1, 2))
            pair = raw['global'][i, 2 * step : 2 * step + 2].detach().numpy()
            feats['global'][i, step] = (pair[0] + pair[1]) / 2
    targets = np.array([sample.gt_label.item() for sample in samples])
    dominance = {h: mbd_oracle.eq2(z, targets) for h, z in logits.items()}
    groups = mbd_oracle.eq3_4(dominance['local'], dominance['global'])
    assert all(groups.values())  # both directions are computed

    def project(phi):
        weight, bias = phi[0].weight.detach().numpy(), phi[0].bias.detach().numpy()
        return lambda video: np.array([weight @ step + bias for step in video])

    maps = {name: project(phi) for name, phi in model.distill_loss.projectors.items()}
    losses = model(inputs, samples, mode='loss')
    for student, teacher in (PATHWAYS, PATHWAYS[::-1]):
        total = 0.0
        for i in groups[teacher]:
            own, other = feats[student][i], feats[teacher][i]
            if projection == 'student':
                own = maps[f'{student}_to_{teacher}'](own)
            else:
                other = maps[f'{teacher}_to_{student}'](other)
            total += ((own - other) ** 2).sum() / own.size
        expected = 0.4 * total / len(groups[teacher])
        assert losses[f'{student}/loss_intermediate'].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(('student', 'teacher'), [PATHWAYS, PATHWAYS[::-1]])
def test_what_is_aligned_reaches_the_students_side_alone(student, teacher):
    """All weights up to the student's feature, none after it, none of the teacher's."""
    model = with_time(distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', teacher=teacher))
    losses = model(*batch(), mode='loss')
    losses[f'{student}/loss_intermediate'].backward()
    learn = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    own = model.pathways[student].backbone
    own.requires_grad_(False)
    feature = ('conv1', 'layer1', 'layer2') if student == 'local' else ('spatial_backbone',)
    for module in feature:
        own.get_submodule(module).requires_grad_(True)
    expected = {
        f'{student}_pathway.backbone.{n}' for n, p in own.named_parameters() if p.requires_grad
    }
    assert {n for n in learn if n.startswith('distill_loss.')} == {
        f'distill_loss.projectors.{student}_to_{teacher}.0.{kind}' for kind in ('weight', 'bias')
    }
    found = {n for n in learn if not n.startswith('distill_loss.')}
    assert found and found <= expected
    assert len(found) > 0.8 * len(expected), expected - found


def test_every_parameter_still_gets_a_gradient():
    """DDP with find_unused_parameters=False."""
    model = with_time()
    losses = model(*batch(2), mode='loss')
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_time_of_one_pathway_alone_is_refused():
    with pytest.raises(ValueError, match=r'of both pathways or of neither, got tokens .*frames'):
        tiny_mbd.build(
            features=dict(
                local_pathway='backbone.temporal_encoder.layers.0',
                global_pathway=dict(path='backbone.frame_projection', tokens='frames'),
            )
        )
    loss = DominanceDistillLoss(3, dict(local=4, **{'global': 4}))
    logits = {h: torch.randn(2, 3) for h in PATHWAYS}
    feats = {'local': torch.randn(2, 4), 'global': torch.randn(2, 2, 4)}  # would broadcast
    with pytest.raises(ValueError, match=r'got \(2, [24](, 4)?\) and \(2, [24](, 4)?\)'):
        loss(logits, feats, torch.tensor([0, 1]))
