"""What the layout of weights in memory changes: nothing but the layout."""

from types import SimpleNamespace

import pytest
import tiny_dtkd
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import CheckpointLoader
from short_runs import make_run, tiny_model, train

from mmaction_kd.registry import HOOKS

HOOK = dict(type='mmaction_kd.MemoryFormatHook')


def loaded(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def spread_weights(model):
    """Those whose layout can be told: of a 1x1 kernel or one channel there is only one."""
    teachers = getattr(model, 'teachers', {}).values()
    for part in (model, *teachers):
        for name, weight in part.named_parameters():
            if weight.dim() in (4, 5) and weight[0, 0].numel() > 1 and weight.shape[1] > 1:
                yield name, weight


def is_channels_last(weight):
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return weight.is_contiguous(memory_format=formats[weight.dim()])


@pytest.mark.parametrize('method', ['mbd', 'dtkd'])
def test_losses_and_checkpoint_are_those_of_a_run_without(method, tmp_path):
    start = starting_points(method, tmp_path)
    plain, _ = train(method, tmp_path / 'plain', epochs=1, **start)
    ours, runner = train(method, tmp_path / 'ours', epochs=1, hooks=[HOOK], **start)
    for a, b in zip(plain, ours, strict=True):
        assert b == pytest.approx(a, rel=1e-4, abs=1e-6)
    weights = dict(spread_weights(runner.model))
    assert {w.dim() for w in weights.values()} == ({4, 5} if method == 'mbd' else {5})
    assert all(is_channels_last(w) for w in weights.values())
    saved = loaded(tmp_path / 'ours/epoch_1.pth')['state_dict']
    expected = loaded(tmp_path / 'plain/epoch_1.pth')['state_dict']
    assert saved.keys() == expected.keys()
    for name, value in saved.items():
        assert value.is_contiguous(), name
        assert value.numpy() == pytest.approx(expected[name].numpy(), rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize('method', ['mbd', 'dtkd'])
def test_losses_under_autocast_stay_what_they_are(method, tmp_path):
    amp = dict(optim_wrapper=dict(type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.001)))
    amp |= starting_points(method, tmp_path)
    plain, _ = train(method, tmp_path / 'plain', **amp)
    ours, runner = train(method, tmp_path / 'ours', hooks=[HOOK], **amp)
    assert all(is_channels_last(w) for _, w in spread_weights(runner.model))
    assert [step['loss'] for step in ours] == pytest.approx(
        [step['loss'] for step in plain], rel=0.02
    )


def test_frozen_teachers_are_reached(tmp_path):
    runner = make_run('dtkd', tmp_path / 'a', hooks=[HOOK])
    runner.call_hook('before_run')
    for teacher in runner.model.teachers.values():
        weights = dict(spread_weights(teacher))
        assert len(weights) > 3 and all(is_channels_last(w) for w in weights.values())


def test_a_run_goes_on_with_it_from_one_without(tmp_path):
    whole, _ = train('mbd', tmp_path / 'whole')
    train('mbd', tmp_path / 'cut', epochs=1)
    rest, runner = train('mbd', tmp_path / 'cut', resume=True, hooks=[HOOK])
    assert [step['loss'] for step in rest] == pytest.approx(
        [step['loss'] for step in whole[2:]], rel=1e-4
    )
    assert all(is_channels_last(w) for _, w in spread_weights(runner.model))


def test_a_test_gives_the_same_scores(tmp_path):
    start = starting_points('dtkd', tmp_path)
    inputs, _ = tiny_dtkd.batch([0, 1], seed=3)
    scores = []
    for hooks in ([], [HOOK]):
        runner = make_run('dtkd', tmp_path / f'{len(hooks)}', hooks=hooks, **start)
        runner.test()
        assert all(is_channels_last(w) == bool(hooks) for _, w in spread_weights(runner.model))
        with torch.no_grad():
            scores.append(runner.model(inputs, stage='head'))
    assert scores[1].numpy() == pytest.approx(scores[0].numpy(), rel=1e-4, abs=1e-5)


def test_gradients_in_ddp_are_those_of_the_model_alone(tmp_path):
    """Of a DDP that was built before the layout changed those of the first step are not."""
    store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        model = tiny_dtkd.build()
        inputs, samples = tiny_dtkd.batch([0, 1, 2])
        expected = gradients_of(model.eval(), inputs, samples)
        run = SimpleNamespace(
            optim_wrapper=None,
            model=MMDistributedDataParallel(model),
            cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel')),
            wrap_model=lambda cfg, model: MODEL_WRAPPERS.build(dict(cfg, module=model)),
        )
        HOOKS.build(HOOK).before_run(run)
        assert all(is_channels_last(w) for _, w in spread_weights(model))
        found = gradients_of(run.model, inputs, samples)
    finally:
        torch.distributed.destroy_process_group()
    for name, value in expected.items():
        assert found[name].numpy() == pytest.approx(value.numpy(), rel=1e-3, abs=1e-5), name


def starting_points(method, folder):
    """Checkpoints that a run with the hook and one without can both start from."""
    runner = make_run(method, folder / 'start')
    runner.model.init_weights()
    model = tiny_model(method)
    for name, teacher in getattr(runner.model, 'teachers', {}).items():
        path = model['teachers'][name]['checkpoint'] = str(folder / f'{name}.pth')
        torch.save(dict(state_dict=teacher.state_dict()), path)
    torch.save(dict(state_dict=runner.model.state_dict()), folder / 'start.pth')
    return dict(model=model, load_from=str(folder / 'start.pth'))


def gradients_of(model, inputs, samples):
    module = getattr(model, 'module', model)
    module.zero_grad()
    module.parse_losses(model(inputs, samples, mode='loss'))[0].backward()
    return {n: p.grad.clone() for n, p in module.named_parameters() if p.requires_grad}
