"""tools/store_teachers.py: a store that survives a kill and any number of ranks, and its check."""

import importlib.util
import json
import re
import subprocess
import sys
import time

import pytest
import tiny_store
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from tool_runs import ROOT, run_tool, shrunken, tool_command, tool_env

from mmaction_kd.models.submodels.recognizer_config import build_recognizer
from mmaction_kd.registry import MODELS
from mmaction_kd.stored_teachers.teacher_store import TeacherStore

TOOL = 'tools/store_teachers.py'
LEAF = 'configs/dtkd/dtkd_stored_tiny_slowfast.py'


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('tools_store_teachers', ROOT / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield module


@pytest.fixture
def config(tiny_videos, tmp_path):
    """A config file of a training on tiny videos, and the paths of its teachers."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = tiny_store.dataset_config(tiny_videos, tmp_path)
        model = tiny_store.model_config(tiny_store.teacher_checkpoints(tmp_path))
    wrapped = dict(type='mmaction_kd.StoredTeacherViews', dataset=data, store='nowhere')
    around = dict(type='RepeatDataset', times=3, dataset=wrapped)
    cfg = tiny_store.training_config(model, around, tmp_path / 'work')
    cfg.dump(tmp_path / 'config.py')
    return tmp_path / 'config.py'


def run(tool, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['store_teachers.py', *map(str, arguments)])
    tool.main()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_makes_checks_and_refuses(tool, config, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'store'
    with pytest.raises(SystemExit, match='--out must be given where the model has no stored_teach'):
        run(tool, monkeypatch, config)
    with pytest.raises(SystemExit, match='--views must be given to begin a store, got none in'):
        run(tool, monkeypatch, config, '--out', out)
    run(tool, monkeypatch, config, '--out', out, '--views', 2, '--shards', 2)
    assert '6 views of 3 videos' in capsys.readouterr().out
    made = content(out)
    assert sorted(made) == ['shard-0000.npy', 'shard-0001.npy', 'store.json']
    run(tool, monkeypatch, config, '--out', out)
    assert content(out) == made
    with pytest.raises(ValueError, match='another state of the number of views, the seed; give th'):
        run(tool, monkeypatch, config, '--out', out, '--views', 3, '--seed', 1)

    capsys.readouterr()
    run(tool, monkeypatch, config, '--out', out, '--check', 4)
    output = capsys.readouterr().out
    assert '4 of 6 views compared' in output and '0 clips are others' in output
    assert re.search(r'static: largest difference of a logit \d\.\d\de-0[3-9], of a prob', output)
    with pytest.raises(
        SystemExit, match='must agree with the teachers within 1e-12 and have their'
    ):
        run(tool, monkeypatch, config, '--out', out, '--check', '--tolerance', 1e-12)
    (tmp_path / 'videos/long.mp4').write_bytes((tmp_path / 'videos/short.mp4').read_bytes())
    with pytest.raises(
        SystemExit, match=r'got the differences above \(video 0 view 0, video 0 vie'
    ):
        run(tool, monkeypatch, config, '--out', out, '--check')
    frozen = '--cfg-options', 'model.frozen_teachers=False'
    with pytest.raises(
        SystemExit, match=r'DualTeacherDistiller with frozen teachers, got .*=False'
    ):
        run(tool, monkeypatch, config, '--out', out, *frozen)


def test_unreadable_videos_are_named_at_the_end(tool, config, tmp_path, monkeypatch):
    (tmp_path / 'videos/short.mp4').unlink()
    with pytest.raises(
        SystemExit, match=r'(?s)got 1 that are not; training.*\n  short.mp4: \w+Err'
    ):
        run(tool, monkeypatch, config, '--out', tmp_path / 'store', '--views', 2)
    header = json.loads((tmp_path / 'store/store.json').read_text())
    assert header['checksums'] and list(header['unusable']) == ['short.mp4']


@pytest.mark.slow
def test_killed_and_resumed_by_two_ranks_it_has_the_same_bytes(config, tmp_path):
    views = ('--views', 40, '--shards', 3)
    run_tool(TOOL, config, '--out', tmp_path / 'clean', *views)
    expected, out = content(tmp_path / 'clean'), tmp_path / 'killed'
    process = subprocess.Popen(
        tool_command(TOOL, config, '--out', out, *views), cwd=ROOT, env=tool_env(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if (out / 'shard-0000.npy').exists():
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert 1 <= len(list(out.glob('*.npy'))) < 3
    with pytest.raises(ValueError, match='shards missing; the command that began it'):
        TeacherStore.complete(out)
    launcher = ('-m', 'torch.distributed.run', '--nproc_per_node=2', '--standalone')
    command = tool_command(TOOL, config, '--out', out, '--launcher', 'pytorch')
    place = command.index(TOOL)
    subprocess.run(
        [*command[:place], *launcher, *command[place:]], cwd=ROOT, env=tool_env(), check=True,
        stdout=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    assert content(out) == expected


@pytest.mark.slow
def test_the_shipped_config_is_stored_checked_and_trained(demo_set, tmp_path):
    """With teachers that know nothing, on the rendered set."""
    teachers = Config.fromfile(ROOT / LEAF).model.teachers
    options = shrunken(demo_set)[1:]
    options = [
        option.replace('train_dataloader.dataset', 'train_dataloader.dataset.dataset')
        for option in options
    ]
    subsets = dict(dynamic=['drift_left', 'drift_right'], static=['red_then_blue', 'blue_then_red'])
    classes = (demo_set / 'classes.txt').read_text().split()
    (tmp_path / 'subsets.json').write_text(json.dumps(dict(classes=classes, subsets=subsets)))
    options += [f'model.distill_loss.subsets={tmp_path}/subsets.json']
    options += [
        f'{key}={tmp_path}/store'
        for key in ('model.stored_teachers', 'train_dataloader.dataset.store')
    ]
    torch.manual_seed(0)
    for name, teacher in teachers.items():
        model, _ = build_recognizer(dict(config=teacher.config))
        torch.save(dict(state_dict=model.state_dict()), tmp_path / f'{name}.pth')
        options.append(f'model.teachers.{name}.checkpoint={tmp_path}/{name}.pth')
    options = ['--cfg-options', *options]
    run_tool(TOOL, LEAF, '--views', 2, *options)
    assert '0 clips are others' in run_tool(TOOL, LEAF, '--check', *options)
    run_tool('tools/train.py', LEAF, '--work-dir', tmp_path / 'work', *options)
    checkpoint = CheckpointLoader.load_checkpoint(str(tmp_path / 'work/epoch_1.pth'), 'cpu')
    with DefaultScope.overwrite_default_scope('mmaction'):
        student = MODELS.build(Config.fromfile(ROOT / LEAF).model.student)
    assert checkpoint['state_dict'].keys() == student.state_dict().keys()
    header = json.loads((tmp_path / 'store/store.json').read_text())
    hashes = {name: teacher['weights'] for name, teacher in header['teachers'].items()}
    assert checkpoint['meta']['teachers'] == hashes
