"""Runs that load what another run saved, or what is left of it."""

import pytest
import torch
from mmengine.model import BaseTTAModel
from short_runs import make_run, tiny_model

from mmaction_kd.registry import MODELS

HOOK = dict(type='mmaction_kd.LoadedWeightsHook')
EMA = dict(type='EMAHook', momentum=0.5)


@MODELS.register_module()
class MeanOfViews(BaseTTAModel):
    """A wrapper as MMEngine's, which is abstract."""

    def merge_preds(self, data_samples_list):
        raise NotImplementedError


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Checkpoints of both methods, the distiller's with an average of its weights."""
    found = {}
    for method, hooks in (('mbd', []), ('dtkd', [EMA])):
        folder = tmp_path_factory.mktemp(method)
        make_run(method, folder, hooks, 1, 'conv').train()
        found[method] = folder / 'epoch_1.pth'
    return found


def changed(saved, path, change):
    """The same checkpoint with other weights."""
    checkpoint = torch.load(saved, weights_only=False)
    checkpoint['state_dict'] = change(checkpoint['state_dict'])
    torch.save(checkpoint, path)
    return str(path)


def without(*parts):
    """Less the weights that have one of these in their names."""
    return lambda state: {n: w for n, w in state.items() if not any(p in n for p in parts)}


def other_classes(state):
    """As of a head of one class more."""
    return {n: torch.cat([w, w[:1]]) if 'fc_cls' in n else w for n, w in state.items()}


def run(method, folder, load_from, hooks=(), **settings):
    return make_run(method, folder, [HOOK, *hooks], 2, 'conv', load_from=str(load_from), **settings)


@pytest.mark.parametrize('method, hooks', [('mbd', []), ('dtkd', []), ('dtkd', [EMA])])
def test_a_checkpoint_of_the_model_is_tested_resumed_and_started_from(
    saved, method, hooks, tmp_path
):
    for what, settings in (('test', {}), ('resume', dict(resume=True)), ('start', {})):
        runner = run(method, tmp_path / what, saved[method], hooks, **settings)
        runner.test() if what == 'test' else runner.train()
        assert not runner.model._load_state_dict_post_hooks, 'the model is left as it was'


@pytest.mark.parametrize('settings', [{}, dict(resume=True)], ids=['test', 'resume'])
@pytest.mark.parametrize(
    ('change', 'told'),
    [
        (without('cls_head.fc_cls.bias'), r'none for 1 of 4: cls_head.fc_cls.bias \(6,\); give'),
        (other_classes, r'for 2 of 4: cls_head.fc_cls.weight \(6, 8\), cls_head.fc_cls.bias'),
        (lambda state: {}, r'none for 4 of 4: .*, \.\.\.; give a checkpoint of this'),
    ],
    ids=['lost', 'other shape', 'all'],
)
def test_weights_that_are_not_in_it_are_told(saved, change, told, settings, tmp_path):
    path = changed(saved['dtkd'], tmp_path / 'changed.pth', change)
    runner = run('dtkd', tmp_path / 'run', path, **settings)
    with pytest.raises(ValueError, match=f'LoadedWeightsHook: {path} must hold all .*{told}'):
        runner.train() if settings else runner.test()


def test_a_test_does_not_need_what_only_training_does(saved, tmp_path):
    """Layers of the distillation loss."""
    path = changed(saved['mbd'], tmp_path / 'published.pth', without('distill_loss.'))
    runner = run('mbd', tmp_path / 'test', path)
    assert any(name.startswith('distill_loss.') for name, _ in runner.model.named_parameters())
    runner.test()
    with pytest.raises(ValueError, match=r'none for \d+ of \d+: distill_loss\.'):
        run('mbd', tmp_path / 'resume', path, resume=True).train()


def test_a_training_may_start_from_other_classes_but_not_from_nothing(saved, tmp_path):
    run('dtkd', tmp_path / 'a', changed(saved['dtkd'], tmp_path / 'a.pth', other_classes)).train()
    with pytest.raises(ValueError, match=r'epoch_1\.pth must hold weights of the model, in'):
        run('dtkd', tmp_path / 'b', saved['mbd']).train()


def test_the_weights_of_a_wrapped_model_are_told(saved, tmp_path):
    wrapper = dict(type='mmaction_kd.MeanOfViews', module=tiny_model('dtkd', 'conv'))
    path = changed(saved['dtkd'], tmp_path / 'changed.pth', without('fc_cls.bias'))
    with pytest.raises(ValueError, match=r'for 1 of \d+: cls_head.fc_cls.bias'):
        run('dtkd', tmp_path / 'run', path, model=wrapper).test()
