"""Training with a real gradient scaler, whose gradients are spoilt on the way."""

import pytest
import torch
from short_runs import make_run

NAN = float('nan')
HOOK = 'mmaction_kd.SkippedStepsHook'
SGD = dict(type='SGD', lr=0.001)


def amp_run(folder, spoils, max_skipped=3, scale=None, **wrapper):
    """Eight iterations; ``spoils`` says of each by its number whether a gradient is NaN.

    ``scale`` of the loss stays as it is; by default it is adapted.
    """
    runner = make_run(
        'dtkd', folder, [dict(type=HOOK, max_skipped=max_skipped)], 4, 'conv',
        optim_wrapper=dict(type='AmpOptimWrapper', optimizer=SGD, **wrapper),
    )  # fmt: skip
    weight = runner.model.student.cls_head.fc_cls.weight
    weight.register_hook(lambda grad: grad * (NAN if spoils(runner.iter) else 1.0))
    build = runner.build_optim_wrapper

    def with_scaler(settings):
        built = build(settings)
        built.loss_scaler = torch.amp.GradScaler('cpu', init_scale=scale or 2.0**16)
        built._scale_update_param = scale
        return built

    runner.build_optim_wrapper = with_scaler
    return runner, weight


pytestmark = pytest.mark.skipif(
    not hasattr(torch.amp, 'GradScaler'), reason='this torch scales no losses on a CPU'
)


@pytest.mark.parametrize(
    ('scale', 'then'), [(None, '8.19e\\+03'), (4.0, '4')], ids=['adapted', 'constant']
)
def test_a_run_that_takes_no_step_any_more_ends(scale, then, tmp_path):
    runner, weight = amp_run(tmp_path, lambda step: step >= 2, scale=scale)
    seen = {}
    weight.register_hook(lambda grad: seen.update({runner.iter: weight.detach().clone()}))
    message = rf'SkippedStepsHook: .* in 3 steps in a row, .*loss scale now {then}\).*bfloat16'
    with pytest.raises(FloatingPointError, match=message):
        runner.train()
    assert runner.iter == 4  # the fifth iteration
    assert not torch.equal(seen[1], seen[2]) and torch.equal(weight, seen[2])


def test_steps_that_are_skipped_now_and_then_are_no_fault(tmp_path):
    runner, weight = amp_run(tmp_path, lambda step: step % 3)
    runner.train()
    assert runner.iter == 8 and weight.isfinite().all()


def test_iterations_that_only_accumulate_do_not_count(tmp_path):
    """Four of eight end a step."""
    runner, _ = amp_run(tmp_path, lambda step: True, max_skipped=4, accumulative_counts=2)
    with pytest.raises(FloatingPointError):
        runner.train()
    assert runner.iter == 7


def test_a_run_without_amp_is_not_watched(tmp_path):
    runner = make_run('dtkd', tmp_path, [dict(type=HOOK, max_skipped=1)], 1, 'conv')
    runner.train()
    assert not runner.optim_wrapper.optimizer._optimizer_step_post_hooks
