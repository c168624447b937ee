"""The doctor's report: what it says, how it looks, and its exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmaction_kd.host_fixes import FIXES, doctor
from mmaction_kd.host_fixes.doctor import Line
from mmaction_kd.host_fixes.fix import Fix, Outcome, release

ROOT = Path(__file__).parents[2]


def run_doctor(*options):
    command = [sys.executable, *options, '-m', 'mmaction_kd.host_fixes.doctor']
    env = os.environ | dict(PYTHONPATH=str(ROOT))
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


def test_report_of_this_machine():
    done = run_doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith('Nothing is left that stops training.\n')
    for name in doctor.requirements():
        assert re.search(rf'^ok +{re.escape(name)}', done.stdout, re.M)
    for fix in FIXES:
        assert re.search(rf'^(fixed|absent) +{re.escape(fix.name)}', done.stdout, re.M)
    assert re.search(r'^absent +mmaction\.models cannot be imported', done.stdout, re.M)


def test_report_without_the_host():
    done = run_doctor('-S')  # Python without its site-packages: nothing is installed
    assert done.returncode == 1 and done.stderr == ''
    assert re.search(r'^missing +torch >=2\.1 +pip install "torch>=2\.1"$', done.stdout, re.M)
    assert re.search(r'^missing +mmaction2 .* pip install "mmaction2==', done.stdout, re.M)
    assert re.search(
        r'^unknown +OverflowError: ColorJitter.*make mmaction\..* importable \(ModuleNotFoundError:'
        r" No module named 'mmaction'\)$",
        done.stdout,
        re.M,
    )
    last = done.stdout.splitlines()[-1]
    assert re.match(r'\d+ left that stop training: torch >=2\.1; torchvision', last)


def test_an_installed_package_knows_the_requirements_of_its_checkout(monkeypatch, tmp_path):
    """As pip writes them into the metadata, with extras behind a semicolon."""
    expected = doctor.requirements()
    assert expected['torch'] == '>=2.1' and 'mmcv-lite' in expected and 'pytest' not in expected
    lines = [f'{name}{wanted}' for name, wanted in expected.items() if name != 'mmcv-lite']
    lines += [f'mmcv-lite{expected["mmcv-lite"]}; extra == "lite"', 'pytest>=8; extra == "tests"']
    monkeypatch.setattr(doctor.metadata, 'requires', lambda name: lines)
    monkeypatch.setattr(doctor, '__file__', str(tmp_path / 'site/mmaction_kd/host_fixes/doctor.py'))
    assert doctor.requirements() == expected


def test_columns_are_aligned():
    lines = [Line('ok', 'torch', '2.14.1'), Line('fixed', 'a long fault', '1.0', 'a remedy')]
    assert doctor.render(lines).split('\n') == [
        'STATE  WHAT          FOUND   REMEDY',
        'ok     torch         2.14.1',
        'fixed  a long fault  1.0     a remedy',
    ]


@pytest.mark.parametrize(
    'version, state',
    [
        ('', 'missing'),
        ('1.9.9', 'outside'),
        ('2.0.0rc4', 'ok'),
        ('2.1.0', 'ok'),
        ('2.2.0', 'outside'),
    ],
)
def test_package_range(version, state, monkeypatch):
    monkeypatch.setattr(doctor, 'version_of', lambda name: version if name == 'mmcv-lite' else '')
    line = doctor.check_package('mmcv-lite', '>=2.0,<2.2')
    assert line.state == state
    assert line.stops_training == (state != 'ok')
    assert line.what == 'mmcv-lite >=2.0,<2.2'
    assert line.remedy == ('' if state == 'ok' else 'pip install "mmcv-lite>=2.0,<2.2"')


def test_one_of_several_distributions_is_enough(monkeypatch):
    monkeypatch.setattr(doctor, 'version_of', lambda name: '2.1.0' if name == 'mmcv' else '')
    line = doctor.check_package('mmcv-lite', '>=2.0,<2.2')
    assert (line.state, line.found) == ('ok', 'mmcv 2.1.0')


@pytest.mark.parametrize(
    'version, numbers',
    [('2.14.1+cu130', (2, 14, 1)), ('2.0.0rc4', (2, 0, 0)), ('81', (81,)), ('', ())],
)
def test_release(version, numbers):
    assert release(version) == numbers


def fix_with(outcome, module='sys', error=''):
    fix = Fix('a fault', ('numpy',), module, lambda: True, print, 'a remedy', outcome, error)
    return doctor.check_fix(fix)


def test_states_of_a_fix():
    absent, fixed = fix_with(Outcome.ABSENT), fix_with(Outcome.FIXED)
    assert (absent.state, absent.remedy, absent.stops_training) == ('absent', '', False)
    assert (fixed.state, fixed.remedy, fixed.stops_training) == ('fixed', 'a remedy', False)
    assert fixed.found.startswith('numpy ')
    failed = fix_with(Outcome.FAILED, error='KeyError: 1')
    assert (failed.state, failed.stops_training) == ('present', True)
    assert failed.remedy == 'a remedy (the fix failed: KeyError: 1)'
    waiting = fix_with(Outcome.WAITING, 'no_such_module')
    assert (waiting.state, waiting.stops_training) == ('unknown', True)
    assert waiting.remedy.startswith('make no_such_module importable (ModuleNotFoundError')


@pytest.mark.parametrize('stops, code', [(False, 0), (True, 1)])
def test_exit_code(stops, code, monkeypatch, capsys):
    line = Line('present', 'a fault', stops_training=stops)
    monkeypatch.setattr(doctor, 'examine', lambda: [line])
    assert doctor.main() == code
    assert ('1 left that stop training: a fault' in capsys.readouterr().out) == stops


def installed(**versions):
    return lambda name: versions.get(name.replace('-', '_'), '')


def test_opencv_of_two_versions(monkeypatch):
    monkeypatch.setattr(doctor, '_import_error', lambda module: '')
    both = dict(opencv_python='4.9', opencv_contrib_python='4.9')
    monkeypatch.setattr(doctor, 'version_of', installed(**both))
    assert doctor.check_opencv().state == 'absent'
    monkeypatch.setattr(doctor, 'version_of', installed(**both | dict(opencv_python='5.0')))
    line = doctor.check_opencv()
    assert (line.state, line.stops_training) == ('present', False)
    assert line.found == 'opencv-python 5.0, opencv-contrib-python 4.9'
    assert line.remedy.startswith('uninstall opencv-python opencv-contrib-python, then')
    monkeypatch.setattr(doctor, '_import_error', lambda module: 'ImportError: libGL')
    assert doctor.check_opencv().stops_training


@pytest.mark.parametrize(
    'check, module, stops',
    [
        (doctor.check_torchvision, 'torchvision', True),
        (doctor.check_decord, 'decord', False),
        (doctor.check_host_import, 'mmaction.models', True),
    ],
)
def test_broken_import(check, module, stops, monkeypatch):
    def broken(name):
        raise RuntimeError('operator torchvision::nms does not exist\nand more')

    monkeypatch.setattr(doctor.importlib, 'import_module', broken)
    line = check()
    assert (line.state, line.stops_training) == ('present', stops)
    if module != 'decord':
        assert 'RuntimeError: operator torchvision::nms does not exist' in line.remedy
        assert 'and more' not in line.remedy


def test_forks(monkeypatch):
    class Distribution:
        def __init__(self, name):
            self.metadata = dict(Name=name)

    found = [Distribution('numpy'), Distribution('onedl-mmengine')]
    monkeypatch.setattr(doctor.metadata, 'distributions', lambda: found[:1])
    assert doctor.check_forks().state == 'absent'
    monkeypatch.setattr(doctor.metadata, 'distributions', lambda: found)
    line = doctor.check_forks()
    assert (line.state, line.found, line.stops_training) == ('present', 'onedl-mmengine', True)
