"""tools/dtkd.py: the configs that it makes, and that it does each step once."""

import importlib.util
import json
import os
import random
import re
import runpy
import signal
import subprocess
import sys
import time

import pytest
import torch
from killed_tools import Job
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from tool_runs import ROOT, run_tool, shrunken

from mmaction_kd.datasets.class_subsets import ClassSubsets, load_subsets
from mmaction_kd.host_fixes.last_checkpoint import last_of_ended
from mmaction_kd.models.submodels.recognizer_config import load_recognizer
from mmaction_kd.study.check_config import check_head_loss

STUDENT = 'configs/dtkd/tiny_slowfast.py'
UCF101 = 'configs/dtkd/{}slowfast_r101_16x8_{}ucf101_split1.py'


@pytest.fixture(scope='module')
def dtkd():
    spec = importlib.util.spec_from_file_location('tools_dtkd', ROOT / 'tools/dtkd.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ucf101(tmp_path):
    """101 classes, every fourth of them static: 26 of them, as in the paper."""
    classes = [f'c{i}' for i in range(101)]
    subsets = dict(static=classes[::4], dynamic=[c for i, c in enumerate(classes) if i % 4])
    path = tmp_path / 'subsets.json'
    path.write_text(json.dumps(dict(classes=classes, subsets=subsets)))
    return path


@pytest.mark.parametrize('name', ['dynamic', 'static'])
def test_a_teacher_is_the_shipped_one(dtkd, ucf101, name):
    """Made from the baseline's config: model and data of the config in configs/dtkd."""
    baseline = Config.fromfile(ROOT / UCF101.format('', ''))
    made = dtkd.teacher_config(baseline, name, load_subsets(ucf101), ucf101)
    shipped = Config.fromfile(ROOT / UCF101.format('', f'{name}_'))
    assert made.model == shipped.model
    for loader in dtkd.LOADERS:
        dataset = {**shipped[loader].dataset, 'subsets': str(ucf101)}
        assert made[loader].to_dict() == {**shipped[loader].to_dict(), 'dataset': dataset}
    assert made.optim_wrapper == shipped.optim_wrapper


def test_the_student_is_the_shipped_one(dtkd):
    baseline = Config.fromfile(ROOT / UCF101.format('', ''))
    shipped = Config.fromfile(ROOT / UCF101.format('dtkd_', ''))
    teachers = {n: (t.config, t.checkpoint) for n, t in shipped.model.teachers.items()}
    loss = {k: v for k, v in shipped.model.distill_loss.items() if k != 'subsets'}
    made = dtkd.student_config(baseline, loss, shipped.subsets, teachers)
    shipped.model.pop('frozen_teachers')  # FT: False in SU12, which the tool leaves at its default
    assert made.to_dict() == shipped.to_dict()


@pytest.mark.parametrize(
    ('arguments', 'subsets'),
    [
        ([], 'ucf101'),
        (['--threshold', 'q2'], '{work}/runs/flow/subsets.json'),
        (['--subsets', 'mine.json'], 'mine.json'),
    ],
)
def test_the_papers_subsets_are_the_default_of_their_data_set(
    dtkd, tmp_path, monkeypatch, arguments, subsets
):
    """A threshold measures."""
    config = ROOT / UCF101.format('', '')
    monkeypatch.setattr(
        sys, 'argv', ['dtkd.py', str(config), '--work-dir', str(tmp_path), *arguments]
    )
    procedure = dtkd.Procedure(dtkd.parse_args())
    assert str(procedure.subsets_file) == subsets.format(work=tmp_path)
    assert [run.command.split()[-1] for run in procedure.flow] == arguments[1:][: '{' in subsets]


def test_bskd_differs_from_dtkd_by_its_weighting_alone(dtkd, ucf101, tmp_path, monkeypatch):
    config = ROOT / UCF101.format('', '')
    given = ['s_alpha=0.7', 'order=mixture', 'kd_weight=0.2', 'teacher_head=full']
    words = [str(config), '--work-dir', str(tmp_path), '--distill-options', *given]
    monkeypatch.setattr(sys, 'argv', ['dtkd.py', *words])
    procedure = dtkd.Procedure(dtkd.parse_args())
    made = procedure.made_configs(ucf101, load_subsets(ucf101), tmp_path)
    bskd, dtkd_ = (made[name].model.distill_loss.to_dict() for name in ('bskd', 'dtkd'))
    assert bskd.pop('weighting') == dict(type='mmaction_kd.ResponsibleTeacher')
    score = dict(type='mmaction_kd.HybridScore', s_alpha=0.7, order='mixture')
    assert dtkd_.pop('weighting') == score
    shared = dict(subsets=str(ucf101), kd_weight=0.2, teacher_head='full')
    assert bskd == dtkd_ == dict(type='mmaction_kd.SubsetDistillLoss', **shared)


def test_weights_of_the_classes_go_with_them(dtkd, ucf101):
    baseline = Config.fromfile(ROOT / UCF101.format('', ''))
    weights = [i / 100 for i in range(101)]
    baseline.model.cls_head.loss_cls = dict(type='CrossEntropyLoss', class_weight=weights)
    made = dtkd.teacher_config(baseline, 'static', load_subsets(ucf101), ucf101)
    assert made.model.cls_head.loss_cls.class_weight == weights[::4]
    assert baseline.model.cls_head.loss_cls.class_weight == weights


@pytest.mark.parametrize(
    'loss',
    [
        dict(type='CBFocalLoss', samples_per_cls=[9, 3, 50, 7]),
        dict(type='CrossEntropyLoss', class_weight=[0.9, 0.3, 5.0, 0.7]),
    ],
    ids=lambda loss: loss['type'],
)
def test_a_teacher_of_a_loss_by_classes_learns_as_the_baseline_would(dtkd, tmp_path, loss):
    """On its own classes, with the weights that these have there, up to a common factor."""
    (key,) = set(loss) - {'type'}
    subsets = ClassSubsets(tuple('abcd'), dict(dynamic=('a', 'c'), static=('b', 'd')))
    baseline = Config.fromfile(ROOT / STUDENT)
    baseline.model.cls_head.loss_cls = loss
    made = dtkd.teacher_config(baseline, 'static', subsets, tmp_path / 'subsets.json')
    with DefaultScope.overwrite_default_scope('mmaction'):
        ours, theirs = (MODELS.build(cfg.model).cls_head for cfg in (made, baseline))
    check_head_loss('cls_head', ours)
    kept = made.model.cls_head.loss_cls[key]
    assert kept == [loss[key][1], loss[key][3]]
    assert baseline.model.cls_head.loss_cls[key] == loss[key]
    name = 'weights' if key == 'samples_per_cls' else key
    own, normalised = (getattr(head.loss_cls, name) for head in (ours, theirs))
    assert own[0] / own[1] == pytest.approx(normalised[1] / normalised[3])


def test_numbers_that_may_be_of_the_classes_are_refused(dtkd):
    for loss in (dict(weights=[1, 2, 3, 4]), dict(inner=dict(class_weight=[1, 2, 3]))):
        with pytest.raises(ValueError, match=r'dtkd: the teachers. loss_cls\S* must have the numb'):
            dtkd.cut_per_class(loss, 4, [1, 3])
    nested = dict(losses=[dict(class_weight=[1, 2, 3, 4]), dict(betas=[0.9, 0.99], gamma=2)])
    dtkd.cut_per_class(nested, 4, [1, 3])
    assert nested == dict(losses=[dict(class_weight=[2, 4]), dict(betas=[0.9, 0.99], gamma=2)])


def options(demo_set):
    """Arguments for a quick run on the rendered set."""
    return [
        *('--threshold', 'q2', '--classes', demo_set / 'classes.txt', '--devices', 1),
        *shrunken(demo_set, train_dataloader__batch_size=2),
    ]


def steps(output):
    """What was trained and tested, in order."""
    return re.findall(r'^\$ \S*dist_(train|test).sh \S*/runs/(\w+)/config.py', output, re.M)


@pytest.mark.slow
def test_each_step_is_done_once_across_a_kill(demo_set, tmp_path):
    work = tmp_path / 'work'
    job = Job(('tools/dtkd.py', STUDENT, *options(demo_set)), '--work-dir', 'work')
    log = tmp_path / 'killed.log'
    with log.open('w') as file:
        process = job.start(tmp_path, file)
        for _ in range(1200):
            if (work / 'runs/dynamic').exists() or process.poll() is not None:
                break
            time.sleep(0.25)
        job.kill(random.Random(0))
        process.wait()
    assert steps(log.read_text())[:2] == [('train', 'baseline'), ('test', 'baseline')]
    output = job.run(tmp_path)  # not forked: conftest.py's quick pretty_text is another
    names = ('dynamic', 'static', 'bskd', 'dtkd')
    expected = [(kind, name) for name in names for kind in ('train', 'test')]
    assert [s for s in steps(output) if s[1] != 'baseline'] == expected
    assert ('train', 'baseline') not in steps(output)
    results = json.loads((work / 'results.json').read_text())
    assert list(results) == ['baseline', *names]
    for name in ('baseline', 'bskd', 'dtkd'):
        assert {'acc/mean1', 'acc/static_mean1', 'acc/dynamic_mean1'} <= results[name].keys()
    assert 'selectivity/static_sm' in results['dtkd']
    assert steps(job.run(tmp_path)) == []
    subsets = load_subsets(work / 'runs/flow/subsets.json').names
    assert subsets == dict(
        dynamic=('drift_left', 'drift_right'), static=('red_then_blue', 'blue_then_red')
    )


@pytest.mark.slow
@pytest.mark.parametrize('by', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_training_ends_with_the_tool(demo_set, tmp_path, by):
    """Ctrl-C reaches the process group, as from a terminal; the others the tool alone."""
    job = Job(('tools/dtkd.py', STUDENT, *options(demo_set)), '--work-dir', 'work')
    process = job.start(tmp_path, PORT='29643')
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob('work/runs/baseline/train/*/vis_data')):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    if by == signal.SIGINT:
        os.killpg(process.pid, by)
    else:
        process.send_signal(by)
    job.assert_none_is_left(30)
    assert process.wait() == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[by]


LOOPS = dict(
    epochs=dict(type='EpochBasedTrainLoop', max_epochs=9, val_interval=1),
    iterations=dict(type='IterBasedTrainLoop', max_iters=9, val_interval=2),
)


@pytest.mark.slow
@pytest.mark.parametrize('unit', LOOPS)
def test_a_training_that_stops_early_and_saves_elsewhere_is_done(demo_set, tmp_path, unit):
    """Stopped at its second validation, between two checkpoints, under names of its own."""
    data = dict(data_prefix=dict(video=str(demo_set / 'videos')), type='VideoDataset')
    test = f"dict(_base_.test_dataloader.dataset, ann_file=r'{demo_set}/test.txt', **{data!r})"
    hook = dict(type='CheckpointHook', interval=7, by_epoch=unit == 'epochs')
    hook |= dict(out_dir=str(tmp_path / 'out'), filename_tmpl='ck_{}.pt')
    stop = dict(type='EarlyStoppingHook', monitor='acc/mean1', min_delta=9.0, patience=1)
    config = tmp_path / 'stops.py'
    config.write_text(f"""
_base_ = r'{ROOT / STUDENT}'
sampler = dict(type='DefaultSampler', shuffle=False)
dataset = {test}
val_dataloader = dict(
    _delete_=True, batch_size=4, num_workers=0, sampler=sampler, dataset=dataset
)
val_cfg = dict(_delete_=True, type='ValLoop')
val_evaluator = dict(type='AccMetric')
train_cfg = dict(_delete_=True, **{LOOPS[unit]!r})
default_hooks = dict(checkpoint=dict(_delete_=True, **{hook!r}))
custom_hooks = [{stop!r}]
param_scheduler = []
""")
    options_ = [x for x in shrunken(demo_set) if 'max_epochs' not in str(x)]
    run_tool('tools/train.py', config, '--work-dir', tmp_path / 'work', *options_)
    last = 2 if unit == 'epochs' else 4
    assert last_of_ended(tmp_path / 'work') == str(tmp_path / f'out/work/ck_{last}.pt')
    cfg = Config.fromfile(ROOT / STUDENT).model
    with DefaultScope.overwrite_default_scope('mmaction'):
        student = MODELS.build(cfg)
    load_recognizer(student, str(tmp_path / 'work'))
    saved = torch.load(tmp_path / f'out/work/ck_{last}.pt', weights_only=False)['state_dict']
    assert all(torch.equal(value, saved[key]) for key, value in student.state_dict().items())


@pytest.mark.parametrize('begun', ['flow', 'baseline'])
def test_other_settings_than_it_was_begun_with_are_refused(demo_set, tmp_path, begun):
    """Before anything is done: no run that has not begun yet is trained with them either."""
    folder = tmp_path / 'work/runs' / begun
    folder.mkdir(parents=True)
    (folder / 'study_run.json').write_text(json.dumps(dict(fingerprint='another')))
    command = ['tools/dtkd.py', STUDENT, '--work-dir', tmp_path / 'work', *options(demo_set)]
    if begun == 'baseline':
        command[2:2] = ['--subsets', subsets_of(demo_set)]
    output = run_tool(*command, code=1)
    assert f'dtkd: {begun} was begun with other settings; remove {folder}, undo' in output
    assert [path.name for path in folder.parent.rglob('*')] == [begun, 'study_run.json']


def subsets_of(demo_set):
    """A file of them, so that nothing is measured."""
    path = demo_set / 'halves.json'
    names = (demo_set / 'classes.txt').read_text().split()
    path.write_text(json.dumps(dict(classes=names, subsets=dict(a=names[:2], b=names[2:]))))
    return path


@pytest.mark.parametrize(
    ('fault', 'words'),
    [
        ('train_dataloader.dataset.ann_file=nowhere.txt', r'config of baseline .*train_.*nowhere'),
        ('model.cls_head.loss_cls.weights=[1,2,3,4]', r'loss_cls must have the numbers of their'),
        ('default_hooks.checkpoint=None', r'baseline .*hooks: .*got no CheckpointHook with'),
        (
            'model.data_preprocessor.blending.type=MixupBlending '
            'model.data_preprocessor.blending.num_classes=4 '
            'model.data_preprocessor.blending.alpha=0.2',
            r'config of bskd must build, got model: .*blending',
        ),
    ],
)
def test_a_fault_of_any_step_is_found_before_the_first(
    dtkd, demo_set, tmp_path, monkeypatch, fault, words
):
    """The last is of the distillation alone: a student may be trained with blending."""
    options_ = [*shrunken(demo_set), *fault.split()]
    work = ['--work-dir', str(tmp_path / 'w'), '--subsets', str(subsets_of(demo_set))]
    monkeypatch.setattr(sys, 'argv', ['dtkd.py', str(ROOT / STUDENT), *work, *map(str, options_)])
    monkeypatch.setattr(dtkd.Launcher, 'do', lambda self, runs: pytest.fail(f'{runs} were begun'))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises((SystemExit, ValueError), match=words):
        dtkd.main()
    signal.signal(signal.SIGTERM, before)


def test_a_metric_that_not_all_steps_report_chooses_nothing(dtkd):
    cfg = Config(dict(val_evaluator=dict(type='AccMetric')))
    for monitor in ('acc/mean1', 'auto'):
        cfg.default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best=monitor))
        dtkd.check_monitored(cfg)
    cfg.custom_hooks = [dict(type='EarlyStoppingHook', monitor='acc/mean_average_precision')]
    with pytest.raises(SystemExit, match=r'monitor of EarlyStoppingHook must be of .*precision'):
        dtkd.check_monitored(cfg)


def test_the_table(dtkd):
    accuracy = {'acc/top1': 0.5, 'acc/mean1': 0.25, 'acc/a_mean1': 0.125}
    lines = dtkd.table(dict(baseline=accuracy, a={'acc/top1': 1.0}), ['a', 'b']).splitlines()
    assert lines[0] == 'model | top1 | mean1 | a_mean1 | b_mean1'
    assert lines[2] == 'baseline | 0.5000 | 0.2500 | 0.1250 | '
    assert lines[3] == 'a | 1.0000 |  |  | '


@pytest.mark.parametrize(
    'words', [('dtkd', STUDENT), ('study', 'configs/mbd/studies/study_videos.py')]
)
def test_of_two_at_once_in_one_folder_the_second_is_refused(tmp_path, monkeypatch, words):
    (tmp_path / 'w').mkdir()
    other = f"""
from pathlib import Path
from mmaction_kd.utils.process_lock import open_locked
lock = open_locked(Path({str(tmp_path)!r}, 'w/.lock'), wait=False)
print('held', flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, '-c', other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == 'held\n'
        tool, config = words
        monkeypatch.setattr(sys, 'argv', [tool, str(ROOT / config), '--work-dir', f'{tmp_path}/w'])
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(RuntimeError, match=f'{tool}: another process works in .*/w; wait for'):
            runpy.run_path(str(ROOT / f'tools/{tool}.py'))['main']()
        signal.signal(signal.SIGTERM, before)
        holder.communicate('\n')
