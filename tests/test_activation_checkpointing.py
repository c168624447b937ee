"""MMEngine's ``activation_checkpointing=[...]``: memory for time, and nothing else changes."""

import functools

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from ddp_training import on_ranks
from mmengine.dist import get_rank
from mmengine.model import MMDistributedDataParallel
from mmengine.runner.activation_checkpointing import turn_on_activation_checkpointing
from short_runs import losses_of, make_run, tiny_model, train

KINDS = {
    'mbd': {},
    'mbd centres': dict(  # the loss has buffers that each batch moves
        distill_loss=dict(
            type='mmaction_kd.DominanceDistillLoss', dominance=dict(labels='centers')
        ),
    ),
    'mbd fusion': dict(fusion_head=dict(type='mmaction_kd.FeatureFusionHead')),
    'dtkd': {},
    'dtkd trained': dict(frozen_teachers=False),
}


@functools.cache
def built(kind, dtype=torch.float64):
    """The model, a batch, and what a step without checkpointing gives."""
    method, changes = kind.split()[0], KINDS[kind]
    tiny = tiny_mbd if method == 'mbd' else tiny_dtkd
    torch.manual_seed(0)
    model = tiny.build({**tiny_model(method), **changes}) if method == 'dtkd' else None
    if model is None:
        model = tiny_mbd.build(
            local_pathway=tiny_model('mbd')['local_pathway'],
            features=tiny_model('mbd')['features'],
            **changes,
        )
    model.to(dtype).train()
    if method == 'mbd':
        batch = tiny_mbd.batch(4, dtype=dtype)
    else:
        batch = tiny_dtkd.batch([0, 1, 2, 3], dtype=dtype)
    start = {name: x.clone() for name, x in model.state_dict().items()}
    return model, batch, start, step(model, batch, start)


def step(model, batch, start):
    """Losses, gradients and buffers after a step from the same start."""
    model.load_state_dict(start)
    model.zero_grad(set_to_none=True)
    torch.manual_seed(1)  # of dropout
    losses = model(*batch, mode='loss')
    model.parse_losses(losses)[0].backward()
    grads = {name: p.grad for name, p in model.named_parameters()}
    buffers = {name: x.clone() for name, x in model.named_buffers()}
    return {name: x.detach() for name, x in losses.items()}, grads, buffers


def assert_same(found, expected, where, tolerance=1e-6):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert (ours[name] is None) == (value is None), (where, name)
            if value is not None:
                difference = (ours[name].double() - value.double()).abs().max()
                assert difference <= tolerance * max(1, value.abs().max()), (where, name)


def assert_each_is_the_same(kind, wanted):
    """Each module alone gives the step without checkpointing."""
    model, batch, start, expected = built(kind)
    assert sum(g is not None and bool(g.abs().sum() > 0) for g in expected[1].values()) > 20
    names = [name for name, _ in model.named_modules() if name and wanted(name)]
    for name in names:
        turn_on_activation_checkpointing(model, name)
        assert_same(step(model, batch, start), expected, name)
        del model.get_submodule(name).forward
    return names


FEW = {
    'mbd': (
        *('local_pathway.backbone', 'local_pathway.backbone.layer3'),
        *('local_pathway.backbone.layer3.0', 'local_pathway.cls_head'),
        *('global_pathway.backbone', 'global_pathway.backbone.temporal_encoder'),
        *('global_pathway.backbone.temporal_encoder.layers.0', 'distill_loss', 'fusion_head'),
        *('distill_loss.projectors', 'distill_loss.dominance', 'fusion_head.join'),
    ),
    'dtkd': (
        *('student', 'student.backbone', 'student.backbone.layer1.0', 'student.cls_head'),
        *('student.cls_head.fc_cls', 'trained_teachers.dynamic', 'distill_loss'),
        *('trained_teachers.static.backbone', 'trained_teachers.static.cls_head'),
    ),
}


@pytest.mark.parametrize('kind', KINDS)
def test_a_step_is_the_same_for_the_modules_that_matter(kind):
    """The recorded module, what is in it and around it, heads, losses, trained teachers."""
    assert len(assert_each_is_the_same(kind, FEW[kind.split()[0]].__contains__)) >= 6


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_a_step_is_the_same_for_each_module(kind):
    assert len(assert_each_is_the_same(kind, lambda name: True)) > 80


@pytest.mark.parametrize('kind', ['mbd', 'dtkd trained'])
def test_a_step_is_the_same_for_several_at_once(kind):
    """Nested ones, one twice, and all modules together."""
    model, batch, start, expected = built(kind)
    names = [name for name, _ in model.named_modules() if name]
    part = [name for name in names if name.endswith(('backbone', 'layer3', 'encoder', 'cls_head'))]
    for modules in ([*part, *part], names):
        turn_on_activation_checkpointing(model, modules)
        assert_same(step(model, batch, start), expected, modules[:3])
        for name in names:
            vars(model.get_submodule(name)).pop('forward', None)


def test_activations_are_not_kept():
    """Else the setting would do nothing: it is there for memory."""
    model, batch, _, _ = built('mbd')

    def kept():
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x: sizes.append(x.numel()) or x, lambda x: x
        ):
            model(*batch, mode='loss')
        return sum(sizes)

    before = kept()
    backbones = ['local_pathway.backbone', 'global_pathway.backbone']
    turn_on_activation_checkpointing(model, backbones)
    assert kept() < before / 4
    for name in backbones:
        del model.get_submodule(name).forward


@pytest.mark.parametrize(
    ('method', 'modules'),
    [
        ('mbd', ['local_pathway.backbone.layer3', 'global_pathway.backbone.temporal_encoder']),
        pytest.param('dtkd', ['student.backbone', 'student.cls_head'], marks=pytest.mark.slow),
    ],
)
def test_a_training_is_the_same(method, modules, tmp_path):
    """Through MMEngine's Runner, by its key."""
    expected, _ = train(method, tmp_path / 'without')
    runner = make_run(method, tmp_path / 'with', activation_checkpointing=modules)
    runner.train()
    for ours, theirs in zip(losses_of(runner), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def gradients_on_rank(kind, modules):
    """Gradients under DDP, of this rank's own half of the videos."""
    model, (inputs, samples), _, _ = built(kind)
    turn_on_activation_checkpointing(model, modules)
    mine = slice(2 * get_rank(), 2 * get_rank() + 2)
    inputs = {k: x[mine] for k, x in inputs.items()} if isinstance(inputs, dict) else inputs[mine]
    ddp = MMDistributedDataParallel(model)
    model.parse_losses(ddp(inputs, samples[mine], mode='loss'))[0].backward()
    return {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    ('kind', 'modules'),
    [
        pytest.param(
            'mbd',
            ('local_pathway.backbone', 'global_pathway.backbone.temporal_encoder'),
            marks=pytest.mark.slow,
        ),
        ('dtkd trained', ('student.backbone', 'trained_teachers.static.backbone.layer2')),
    ],
)
def test_gradients_under_ddp(kind, modules, tmp_path):
    ranks = [on_ranks(gradients_on_rank, tmp_path, kind, listed) for listed in ((), modules)]
    for without, with_checkpoints in zip(*ranks, strict=True):
        assert_same([with_checkpoints], [without], modules)


def test_a_feature_inside_of_a_backbones_own_checkpoints_is_refused():
    """``with_cp`` of MMAction2's ResNets is reentrant: what is inside has no graph."""
    local = tiny_model('mbd')['local_pathway']
    local['backbone']['with_cp'] = True
    shape = (1, 3, 8, 16, 16)

    def loss(path):
        features = tiny_model('mbd')['features']
        features['local_pathway'] = dict(path=path, input_shape=shape)
        model = tiny_mbd.build(local_pathway=local, features=features).train()
        model(*tiny_mbd.batch(4), mode='loss')

    with pytest.raises(ValueError, match=r"'backbone.layer3.0.conv1': the module must run with a "):
        loss('backbone.layer3.0.conv1')
    loss('backbone.layer3')
