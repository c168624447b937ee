"""Runs of a distiller by MMEngine: what is in a checkpoint, and what may go on from it."""

import copy
import itertools

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import DATASETS
from mmengine.runner import CheckpointLoader, Runner
from tiny_dtkd import CLASSES, SUBSETS, build, distiller_config, recognizer
from torch.utils.data import Dataset

from mmaction_kd.stored_teachers.fingerprint import weights_hash

RUNS = itertools.count()  # each run of a process needs a name of its own
HOOK = dict(type='mmaction_kd.TeacherHashHook')


@DATASETS.register_module()
class NoiseVideos(Dataset):
    """Eight videos, and a random number in each that only a seeded run draws again."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        clip = torch.randint(0, 200, (1, 3, 4, 16, 16), generator=generator)
        clip = (clip + torch.randint(0, 50, ())).byte()
        return dict(inputs=clip, data_samples=ActionDataSample().set_gt_label(index % CLASSES))


@pytest.fixture
def teachers(tmp_path):
    """Checkpoints of two teachers, and another dynamic one."""
    found = {}
    for seed, (name, subset) in enumerate(
        [('dynamic', 'dynamic'), ('static', 'static'), ('other', 'dynamic')]
    ):
        model = build(dict(recognizer(len(SUBSETS[subset])), _scope_='mmaction'), seed=seed)
        found[name] = str(tmp_path / f'{name}.pth')
        torch.save(dict(state_dict=model.state_dict()), found[name])
    return found


def run(work_dir, teachers, epochs, hooks=(HOOK,), model=None, **changes):
    """Train in work_dir; returns the runner."""
    checkpoints = {name: dict(checkpoint=teachers[name]) for name in ('dynamic', 'static')}
    cfg = dict(
        model=model or distiller_config(checkpoints),
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}_{next(RUNS)}',
        train_dataloader=dict(
            dataset=dict(type='mmengine.NoiseVideos'), batch_size=4, num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=1),
            epoch_seed=dict(type='mmaction_kd.EpochSeedHook'),
        ),
        custom_hooks=list(hooks),
        randomness=dict(seed=0),
        log_level='ERROR',
        default_scope='mmaction',
    )  # fmt: skip
    runner = Runner.from_cfg({**cfg, **changes})
    runner.train()
    return runner


def loaded(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def test_the_hashes_are_those_of_the_teachers(teachers, tmp_path):
    run(tmp_path / 'a', teachers, 1)
    written = loaded(tmp_path / 'a/epoch_1.pth')['meta']['teachers']
    expected = {}
    for name in SUBSETS:
        model = build(dict(recognizer(len(SUBSETS[name])), _scope_='mmaction'))
        model.load_state_dict(torch.load(teachers[name])['state_dict'])
        expected[name] = weights_hash(model)
    assert written == expected
    model.cls_head.fc_cls.bias.data[0] += 1e-6
    assert weights_hash(model) not in expected.values()


def test_resumed_is_as_if_never_stopped(teachers, tmp_path):
    """Weights, batch statistics and momentum, to the last bit."""
    run(tmp_path / 'whole', teachers, 3)
    run(tmp_path / 'cut', teachers, 1)
    run(tmp_path / 'cut', teachers, 3, resume=True)
    whole, cut = (loaded(tmp_path / name / 'epoch_3.pth') for name in ('whole', 'cut'))
    assert whole['state_dict'].keys() == cut['state_dict'].keys()
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, cut['state_dict'][name]), name
    for a, b in zip(
        whole['optimizer']['state'].values(), cut['optimizer']['state'].values(), strict=True
    ):
        assert torch.equal(a['momentum_buffer'], b['momentum_buffer'])


def test_other_teachers_are_refused_by_name(teachers, tmp_path):
    run(tmp_path / 'a', teachers, 1)
    others = dict(teachers, dynamic=teachers['other'])
    with pytest.raises(ValueError, match=r"started with, got others for \['dynamic'\]: .* in the"):
        run(tmp_path / 'a', others, 2, resume=True)
    started_from = str(tmp_path / 'a/epoch_1.pth')
    run(tmp_path / 'b', others, 1, load_from=started_from)  # that is a new run


def test_a_student_without_teachers_is_refused_too(teachers, tmp_path):
    plain = dict(recognizer(), type='Recognizer3D')
    run(tmp_path / 'a', teachers, 1, hooks=(), model=plain)
    assert 'teachers' not in loaded(tmp_path / 'a/epoch_1.pth')['meta']
    with pytest.raises(ValueError, match=r"others for \['dynamic', 'static'\]: {} in the check"):
        run(tmp_path / 'a', teachers, 2, resume=True)


def test_trained_teachers_go_on_from_where_they_were(teachers, tmp_path):
    checkpoints = {name: dict(checkpoint=teachers[name]) for name in SUBSETS}
    model = distiller_config(checkpoints, frozen_teachers=False)
    run(tmp_path / 'whole', teachers, 2, model=copy.deepcopy(model))
    run(tmp_path / 'cut', teachers, 1, model=copy.deepcopy(model))
    run(tmp_path / 'cut', teachers, 2, model=copy.deepcopy(model), resume=True)
    whole, cut = (loaded(tmp_path / n / 'epoch_2.pth')['state_dict'] for n in ('whole', 'cut'))
    assert any(name.startswith('trained_teachers.static') for name in whole)
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())


def test_ema_of_the_student_is_in_the_checkpoint_and_resumes(teachers, tmp_path):
    ema = dict(type='EMAHook', momentum=0.1, update_buffers=True)
    hooks = (HOOK, ema)
    run(tmp_path / 'whole', teachers, 2, hooks)
    run(tmp_path / 'cut', teachers, 1, hooks)
    run(tmp_path / 'cut', teachers, 2, hooks, resume=True)
    whole, cut = (loaded(tmp_path / n / 'epoch_2.pth') for n in ('whole', 'cut'))
    for part in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, cut[part][name]) for name, value in whole[part].items())
    names = set(whole['state_dict'])
    assert set(whole['ema_state_dict']) == {'steps', *(f'module.{name}' for name in names)}


def test_a_model_without_teachers_is_told(teachers, tmp_path):
    with pytest.raises(ValueError, match='must be a DualTeacherDistiller, got Recognizer3D; remo'):
        run(tmp_path / 'a', teachers, 1, model=recognizer())
