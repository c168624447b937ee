"""train.py, test.py and their launchers, as a user calls them."""

import importlib.util
import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from tool_runs import ROOT, TINY, run_tool, shrunken

from mmaction_kd.utils.process_lock import open_locked

K400 = 'configs/mbd/r2plus1d_vtn_k400.py'
SHELL = sorted((ROOT / 'tools').rglob('*.sh'))
METRICS = [f'acc/{name}_top1' for name in ('fused', 'local', 'global')]


@pytest.fixture
def port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


@pytest.fixture(scope='module')
def trained(demo_set, tmp_path_factory):
    """The work dir of tools/train.py, one process."""
    folder = tmp_path_factory.mktemp('trained')
    run_tool('tools/train.py', TINY, '--work-dir', folder, *shrunken(demo_set))
    return folder


def losses(work_dir):
    """The loss of each logged iteration."""
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = map(json.loads, path.read_text().splitlines())
    return [line['loss'] for line in lines if 'loss' in line]


def metrics_of(work_dir):
    """What a test wrote."""
    (path,) = work_dir.glob('*/*.json')
    return json.loads(path.read_text())


# --- Two processes ----------------------------------------------------------------------------


def test_two_processes_train(demo_set, tmp_path, port):
    """8 videos are 2 iterations of 2 x 2."""
    options = shrunken(demo_set, train_dataloader__batch_size=2)
    run_tool('tools/dist_train.sh', TINY, 2, '--work-dir', tmp_path, *options, PORT=port)
    assert len(losses(tmp_path)) == 2


@pytest.mark.slow
def test_two_processes_test(trained, demo_set, tmp_path, port):
    """4 predictions come back from the 2 processes."""
    tested, dump = tmp_path / 'test', tmp_path / 'scores.pkl'
    arguments = (TINY, trained / 'epoch_1.pth', 2, '--work-dir', tested, '--dump', dump)
    arguments += tuple(shrunken(demo_set))
    printed = run_tool('tools/dist_test.sh', *arguments, PORT=port)
    assert all(f'{name}: ' in printed for name in METRICS)
    predictions = pickle.loads(dump.read_bytes())
    assert sorted(sample['gt_label'].item() for sample in predictions) == [0, 1, 2, 3]
    for sample in predictions:
        for score in ('pred_score', 'local_score', 'global_score'):
            assert sample[score].shape == (4,)
            assert sample[score].sum().item() == pytest.approx(1, abs=1e-5)
        weights = [sample[f'{name}_weight'].item() for name in ('local', 'global')]
        assert sum(weights) == pytest.approx(1, abs=1e-6)
        assert all(0 <= sample[f'{name}_dominance'] <= 1 for name in ('local', 'global'))

    written = metrics_of(tested)
    for name in METRICS:
        score = name.removeprefix('acc/').removesuffix('_top1').replace('fused', 'pred') + '_score'
        right = [sample[score].argmax() == sample['gt_label'][0] for sample in predictions]
        assert written[name] == sum(right) / 4


# --- One process ------------------------------------------------------------------------------


def test_a_second_training_in_one_work_dir_is_refused(demo_set, tmp_path):
    """This process is the first; a killed one leaves the file, but no lock."""
    arguments = ('tools/train.py', TINY, '--work-dir', tmp_path, *shrunken(demo_set))
    with open_locked(tmp_path / '.lock', wait=False):
        printed = run_tool(*arguments, code=1)
    assert f'train: another process works in {tmp_path}; wait for it, or take' in printed
    assert os.listdir(tmp_path) == ['.lock']
    run_tool(*arguments)
    assert (tmp_path / 'epoch_1.pth').exists() and not (tmp_path / '.lock').exists()


@pytest.mark.slow
def test_one_process_trains_and_tests(trained, demo_set, tmp_path):
    assert len(losses(trained)) == 2
    arguments = (TINY, trained / 'epoch_1.pth', '--work-dir', tmp_path, *shrunken(demo_set))
    run_tool('tools/test.py', *arguments)
    assert set(METRICS) <= set(metrics_of(tmp_path))


@pytest.mark.slow
def test_amp_computes_in_bfloat16(trained, demo_set, tmp_path):
    """Close to the run in float32 and not equal to it."""
    arguments = (TINY, '--work-dir', tmp_path, '--amp', *shrunken(demo_set))
    run_tool('tools/train.py', *arguments)
    assert losses(tmp_path) == pytest.approx(losses(trained), rel=0.02)
    assert losses(tmp_path) != losses(trained)


@pytest.mark.slow
def test_the_same_seed_trains_the_same(trained, demo_set, tmp_path):
    for seed, same in ((0, True), (1, False)):
        work = tmp_path / str(seed)
        arguments = (TINY, '--work-dir', work, '--seed', seed, *shrunken(demo_set))
        run_tool('tools/train.py', *arguments)
        assert (losses(work) == losses(trained)) is same


@pytest.mark.slow
@pytest.mark.parametrize('how', ['script', 'mim'])
def test_stock_tools_run_the_config(how, trained, demo_set, tmp_path):
    """They import mmaction first; `custom_imports` comes early enough to fix the host."""
    stock = Path(importlib.util.find_spec('mmaction').origin).parent / '.mim/tools'
    options = shrunken(demo_set)
    arguments = (ROOT / TINY, '--work-dir', tmp_path / 'train', *options)
    if how == 'mim':
        if shutil.which('mim') is None:
            pytest.skip('needs openmim')
        subprocess.run(['mim', 'train', 'mmaction', *map(str, arguments)], check=True)
    else:
        run_tool(stock / 'train.py', *arguments)
        assert losses(tmp_path / 'train') == losses(trained)
    checkpoint = tmp_path / 'train/epoch_1.pth'
    run_tool(stock / 'test.py', TINY, checkpoint, '--work-dir', tmp_path / 'test', *options)
    assert set(METRICS) <= set(metrics_of(tmp_path / 'test'))


@pytest.mark.slow
def test_a_failing_script_fails_its_launcher(tmp_path, port):
    printed = run_tool('tools/dist_train.sh', tmp_path / 'no.py', 2, code=1, PORT=port)
    assert 'FileNotFoundError' in printed


# --- The command line -------------------------------------------------------------------------


def load_tool(name):
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(f'tools_{name}', ROOT / f'tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def merged(monkeypatch, tool, *arguments):
    """The config that a command line leads to."""
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    monkeypatch.setenv('LOCAL_RANK', '0')
    module = load_tool(tool)
    args = module.parse_args()
    return module.merge_args(Config.fromfile(ROOT / args.config), args)


def test_the_command_line_wins_over_the_config(monkeypatch):
    options = ('randomness.deterministic=False', 'optim_wrapper.optimizer.lr=0.5', 'work_dir=x')
    cfg = merged(
        monkeypatch,
        *('train', K400, '--seed', '7', '--deterministic', '--diff-rank-seed', '--amp'),
        *('--auto-scale-lr', '--work-dir', 'y', '--launcher', 'pytorch', '--cfg-options', *options),
    )
    assert cfg.randomness == dict(seed=7, deterministic=True, diff_rank_seed=True)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.auto_scale_lr.enable
    assert cfg.work_dir == 'y' and cfg.launcher == 'pytorch'


def test_without_arguments_the_config_stays(monkeypatch):
    cfg = merged(monkeypatch, 'train', K400)
    assert cfg.pop('work_dir') == 'work_dirs/r2plus1d_vtn_k400'
    assert cfg.pop('launcher') == 'none'
    assert cfg.to_dict() == Config.fromfile(ROOT / K400).to_dict()


def test_resume_from_a_path(monkeypatch):
    cfg = merged(monkeypatch, 'train', K400, '--resume', 'a')
    assert cfg.resume is True and cfg.load_from == 'a'


def test_with_nothing_to_resume_the_training_starts_as_without(monkeypatch, tmp_path):
    cfg = merged(monkeypatch, 'train', K400, '--resume', '--work-dir', str(tmp_path))
    assert cfg.resume is False and cfg.load_from == Config.fromfile(ROOT / K400).load_from


def test_no_validate_leaves_nothing_of_validation(monkeypatch):
    arguments = ('--no-validate', '--cfg-options', 'val_dataloader.batch_size=1')
    cfg = merged(monkeypatch, 'train', K400, *arguments)
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None


def test_auto_scale_lr_needs_a_batch_size(monkeypatch):
    with pytest.raises(SystemExit, match=r'auto_scale_lr\.base_batch_size.*tiny_r3d_vtn'):
        merged(monkeypatch, 'train', TINY, '--auto-scale-lr')
    options = ('--cfg-options', 'auto_scale_lr.base_batch_size=16')
    cfg = merged(monkeypatch, 'train', TINY, '--auto-scale-lr', *options)
    assert cfg.auto_scale_lr == dict(base_batch_size=16, enable=True)


def test_dump_adds_to_the_metrics_of_the_config(monkeypatch):
    cfg = merged(monkeypatch, 'test', TINY, 'a.pth', '--dump', 'b.pkl')
    assert [metric.type for metric in cfg.test_evaluator] == [
        'mmaction_kd.PathwayAccMetric',
        'DumpResults',
    ]
    assert cfg.test_evaluator[1].out_file_path == 'b.pkl' and cfg.load_from == 'a.pth'


def test_dump_must_be_a_pickle(monkeypatch, capsys):
    with pytest.raises(SystemExit, match='2'):
        merged(monkeypatch, 'test', TINY, 'a.pth', '--dump', 'scores.json')
    assert '--dump must end in .pkl or .pickle, got scores.json' in capsys.readouterr().err


# --- Shell scripts, with programs that only write down how they were called ---------------------


@pytest.fixture
def recorder(tmp_path):
    """A program that writes its arguments and MASTER_PORT to ``calls.json`` and exits with 3."""
    program = tmp_path / 'srun'
    program.write_text(
        f'#!{sys.executable}\nimport json, os, pathlib, sys\n'
        'call = dict(arguments=sys.argv[1:], port=os.environ.get("MASTER_PORT"))\n'
        f'pathlib.Path({str(tmp_path / "calls.json")!r}).write_text(json.dumps(call))\n'
        'sys.exit(3)\n'
    )
    program.chmod(0o755)
    return program


def called(recorder, script, *arguments, **env):
    """How a shell script called the recorder."""
    path = f'{recorder.parent}{os.pathsep}{os.environ["PATH"]}'
    run_tool(script, *arguments, code=3, PATH=path, **env)
    return json.loads((recorder.parent / 'calls.json').read_text())


@pytest.mark.parametrize('script', SHELL, ids=lambda path: path.name)
def test_shell_scripts_parse_and_say_how_to_use_them(script):
    subprocess.run(['bash', '-n', str(script)], check=True)
    assert os.access(script, os.X_OK)
    printed = run_tool(script, code=2)
    header = next(line for line in script.read_text().splitlines() if line.startswith('# tools/'))
    assert printed == f'usage: {header.removeprefix("# ")}\n'


def test_slurm_train(recorder):
    call = called(
        recorder,
        *('tools/slurm_train.sh', 'gpu', 'my job', K400, '--work-dir', 'a b', '--resume'),
        GPUS='16',
        SRUN_ARGS='--time=1:00 --quotatype=spot',
    )
    assert call['arguments'] == [
        *('--partition=gpu', '--job-name=my job', '--gres=gpu:8', '--ntasks=16'),
        *('--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1'),
        *('--time=1:00', '--quotatype=spot', sys.executable, '-u', 'tools/train.py', K400),
        *('--launcher', 'slurm', '--work-dir', 'a b', '--resume'),
    ]
    assert 12000 <= int(call['port']) < 32000


def test_slurm_test(recorder):
    call = called(
        recorder,
        *('tools/slurm_test.sh', 'gpu', 'job', K400, 'a.pth', '--dump', 'b c.pkl'),
        GPUS='4',
        GPUS_PER_NODE='4',
        CPUS_PER_TASK='2',
        MASTER_PORT='1234',
    )
    assert call['arguments'] == [
        *('--partition=gpu', '--job-name=job', '--gres=gpu:4', '--ntasks=4'),
        *('--ntasks-per-node=4', '--cpus-per-task=2', '--kill-on-bad-exit=1'),
        *(sys.executable, '-u', 'tools/test.py', K400, 'a.pth'),
        *('--launcher', 'slurm', '--dump', 'b c.pkl'),
    ]
    assert call['port'] == '1234'


@pytest.mark.parametrize(
    'script, own, passed_on',
    [
        ('train', [K400, '4'], ['tools/train.py', K400]),
        ('test', [K400, 'a.pth', '4'], ['tools/test.py', K400, 'a.pth']),
    ],
)
def test_dist_scripts_reach_several_machines(recorder, script, own, passed_on):
    env = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    call = called(
        recorder, f'tools/dist_{script}.sh', *own, '--work-dir', 'a b', PYTHON=str(recorder), **env
    )
    assert call['arguments'] == [
        *('-m', 'torch.distributed.run', '--nnodes=2', '--node_rank=1'),
        *('--master_addr=10.0.0.1', '--master_port=1234', '--nproc_per_node=4'),
        *(*passed_on, '--launcher', 'pytorch', '--work-dir', 'a b'),
    ]
