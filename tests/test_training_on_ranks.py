"""A training on several gloo ranks against one process that has the joined batches.

BatchNorm is in eval mode and nothing is dropped, so that a step does not depend on ranks.
"""

import shutil

import pytest
import torch
from ddp_training import on_ranks
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS
from short_runs import losses_of, make_run, tiny_model

from mmaction_kd.engine.hooks.distill_report_hook import PAGE_FILE
from mmaction_kd.report.run_record import RunRecord

METHODS = ('mbd', 'dtkd')
BATCH = 4
SGD = dict(type='SGD', lr=0.001, momentum=0.9)
LAYOUT = dict(type='mmaction_kd.MemoryFormatHook')
EMA = dict(type='EMAHook', momentum=0.1)
CASES = dict(
    plain=dict(),
    layout=dict(hooks=[LAYOUT]),
    ema=dict(hooks=[EMA]),
    accumulated=dict(optim_wrapper=dict(optimizer=SGD, accumulative_counts=2)),
    checkpointed=dict(with_cp=True),
    amp=dict(optim_wrapper=dict(type='AmpOptimWrapper', optimizer=SGD)),
    compiled=dict(backbone='conv', compile=True),
)
TOGETHER = dict(
    hooks=[LAYOUT, EMA],
    with_cp=True,
    optim_wrapper=dict(optimizer=SGD, accumulative_counts=2),
)
CLOSE = dict(amp=0.05, compiled=1e-3)  # of the update; else 1e-4


@HOOKS.register_module()
class KeepStart(Hook):
    """The weights that a training starts with."""

    def before_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        self.weights = {name: value.clone() for name, value in model.state_dict().items()}


def with_settings(cfg, **settings):
    """The same config with other values under keys that stand anywhere in it."""
    if isinstance(cfg, dict):
        found = {key: with_settings(value, **settings) for key, value in cfg.items()}
        return found | {key: value for key, value in settings.items() if key in cfg}
    return cfg


def run_of(method, folder, ranks, launcher='none', backbone='r3d', with_cp=False, **changes):
    """A Runner, on ranks with their share of the batch."""
    model = with_settings(tiny_model(method, backbone), norm_eval=True)
    if with_cp:
        for part in (model.get('local_pathway'), model.get('student')):
            if part is not None:
                part['backbone']['with_cp'] = True
    hooks = [*changes.pop('hooks', []), dict(type='mmengine.KeepStart')]
    run = make_run(method, folder, hooks=hooks, backbone=backbone, model=model, launcher=launcher,
                   **changes)  # fmt: skip
    for loader in (run._train_dataloader, run._test_dataloader):
        loader['batch_size'] = BATCH // ranks
    return run


def trained(method, case, folder, ranks, launcher='none'):
    """How far each weight went (also the averaged ones), and the losses of each step."""
    changes = TOGETHER if case == 'together' else CASES[case]
    run = run_of(method, folder, ranks, launcher, **changes)
    run.train()
    (start,) = (hook.weights for hook in run.hooks if isinstance(hook, KeepStart))
    models = [getattr(run.model, 'module', run.model)]
    models += [hook.ema_model.module for hook in run.hooks if isinstance(hook, EMAHook)]
    moved = [
        {name: value - start[name] for name, value in model.state_dict().items()}
        for model in models
    ]
    return dict(moved=moved, losses=losses_of(run))


def on_a_rank(method, case, folder, ranks):
    return trained(method, case, folder, ranks, 'pytorch')


def update(moved):
    return torch.cat([value.flatten().double() for value in moved.values()])


def assert_one_training(method, case, ranks, folder):
    """Each update of the weights and each term of the loss, whose mean over the ranks it is."""
    found = on_ranks(on_a_rank, folder, method, case, folder / 'ranks', ranks, num=ranks)
    single = trained(method, case, folder / 'one', 1)
    close = CLOSE.get(case, 1e-4)
    assert len(single['moved']) == (2 if case in ('ema', 'together') else 1)
    for place, moved in enumerate(single['moved']):
        expected = update(moved)
        assert expected.norm() > 1e-4
        for rank in found:
            ours = update(rank['moved'][place])
            assert (ours - expected).norm() <= close * expected.norm()
    steps = zip(single['losses'], *(rank['losses'] for rank in found), strict=True)
    for whole, *parts in steps:
        for name in (n for n in whole if 'loss' in n):
            mean = sum(part[name] for part in parts) / ranks
            assert mean == pytest.approx(whole[name], abs=close * whole['loss']), name
        for name in (n for n in whole if n.startswith('seen ')):  # sums over the samples
            total = sum(part[name] for part in parts)
            assert total == pytest.approx(whole[name], rel=10 * close, abs=1e-3), name


def test_two_ranks_train_as_one_process(tmp_path):
    """Channels last, averaged weights, accumulated gradients and checkpointing together."""
    assert_one_training('dtkd', 'together', 2, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize(
    'case, ranks', [('together', 4), *((case, 2) for case in CASES if case != 'compiled')]
)
def test_ranks_train_as_one_process(case, method, ranks, tmp_path):
    assert_one_training(method, case, ranks, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(
    not any(shutil.which(name) for name in ('g++', 'clang++', 'c++')),
    reason='torch.compile on the CPU needs a C++ compiler',
)
@pytest.mark.parametrize('method', METHODS)
def test_two_compiled_ranks_train_as_one_compiled_process(method, tmp_path):
    torch._dynamo.reset()
    assert_one_training(method, 'compiled', 2, tmp_path)


# --- The page -------------------------------------------------------------------------------------


def reported(method, folder, ranks, launcher='pytorch'):
    hooks = [dict(type='mmaction_kd.DistillReportHook')]
    run = run_of(method, folder, ranks, launcher, custom_hooks=hooks)
    run.train()
    run.test()


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_the_page_is_of_all_ranks_but_for_what_it_says(method, tmp_path):
    """What a class saw and what it was taken for is counted over all; losses are of the first."""
    on_ranks(reported, tmp_path, method, tmp_path / 'ranks', 2)
    reported(method, tmp_path / 'one', 1, 'none')
    ours, theirs = (RunRecord(tmp_path / name).read() for name in ('ranks', 'one'))
    assert [line['kind'] for line in ours] == ['run', 'train', 'train', 'test']
    assert (ours[0].pop('ranks'), theirs[0].pop('ranks')) == (2, 1)
    for mine, other in zip(ours[1:3], theirs[1:3], strict=True):
        for source, seen in other['sources'].items():
            assert mine['sources'][source]['count'] == seen['count']
            for name, sums in seen['sums'].items():
                assert mine['sources'][source]['sums'][name] == pytest.approx(sums, abs=1e-3)
    assert {**ours[3], 'when': ''} == {**theirs[3], 'when': ''}
    words = 'Logged by the first of 2 processes, of its own share of each batch.'
    pages = [(tmp_path / name / PAGE_FILE).read_text() for name in ('ranks', 'one')]
    assert [page.count(words) for page in pages] == [
        3,
        0,
    ]  # losses; a caption, which is an alt, too
