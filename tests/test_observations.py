"""What losses leave for hooks."""

import pytest
import tiny_dtkd
import tiny_mbd
import torch
from mmengine.logging import MessageHub

from mmaction_kd.observations import observe, take_observations


@pytest.fixture(autouse=True)
def empty():
    take_observations()
    yield
    take_observations()


def test_what_is_taken_is_gone_and_the_last_batch_counts():
    first, last = torch.tensor([0, 2]), torch.tensor([1])
    observe('a', 3, first, dict(x=torch.rand(2)))
    observe('a', 3, last, dict(x=torch.ones(1)))
    observe('b', 4, first, dict(y=torch.zeros(2)))
    seen = take_observations()
    assert sorted(seen) == ['a', 'b'] and seen['b'].num_classes == 4
    assert seen['a'].targets is not first and seen['a'].targets.tolist() == [1]
    assert take_observations() == {}


def test_nothing_of_the_graph_is_held():
    weight = torch.ones(2, requires_grad=True)
    observe('a', 2, torch.tensor([0, 1]), dict(x=2 * weight))
    assert take_observations()['a'].values['x'].grad_fn is None


def test_no_checkpoint_holds_it_and_no_resumed_run_is_warned_of_it():
    observe('a', 2, torch.tensor([0, 1]), dict(x=torch.ones(2)))
    saved = MessageHub.get_current_instance().state_dict()
    assert not any('observations' in key for part in saved.values() for key in part)


@pytest.mark.parametrize('layers', ['both', 'none'])
def test_mbd_tells_who_dominates_each_sample(layers):
    model = tiny_mbd.build(
        distill_loss=dict(type='mmaction_kd.DominanceDistillLoss', layers=layers)
    )
    inputs, samples = tiny_mbd.batch(5)
    losses = model.loss(inputs, samples)
    seen = take_observations()['dominance']
    assert seen.num_classes == tiny_mbd.CLASSES
    assert seen.targets.tolist() == [sample.gt_label.item() for sample in samples]
    for name in ('local', 'global'):
        assert seen.values[name].float().mean() == losses[f'{name}/dominance_share']
    assert torch.equal(seen.values['local'], ~seen.values['global'])


@pytest.mark.parametrize('weighting', ['HybridScore', 'ResponsibleTeacher'])
def test_dtkd_tells_the_weight_of_each_teacher(weighting):
    model = tiny_dtkd.build(tiny_dtkd.distiller_config(loss=dict(weighting=weighting)))
    inputs, samples = tiny_dtkd.batch([0, 1, 1, 5])
    losses = model.loss(inputs, samples)
    taken = take_observations()
    seen, responsible = taken['teacher_weights'], taken['responsible']
    assert seen.num_classes == tiny_dtkd.CLASSES
    own = dict(dynamic=[0, 3], static=[1, 2])  # samples of the batch
    for name, rows in own.items():
        weights = seen.values[name]
        assert responsible.values[name].nonzero().flatten().tolist() == rows
        assert weights[rows].mean().item() == pytest.approx(losses[f'{name}/weight'].item())
        assert (weights.sum() - weights[rows].sum()).item() == 0
