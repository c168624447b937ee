"""What `pip install` brings: the package, its configs and tools, and where MMEngine finds them."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE = 'mmaction_kd::mbd/tiny_r3d_vtn.py'
SOURCES = ('mmaction_kd', 'configs', 'tools', 'requirements')


def pip(*arguments):
    """Run pip, which finds all it needs here."""
    command = [sys.executable, '-m', 'pip', '--disable-pip-version-check', *map(str, arguments)]
    subprocess.run([*command, '--no-deps', '--no-index', '--quiet'], check=True, timeout=300)


def files(folder):
    """Files below a folder of the checkout, relative to the checkout."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and not {'.mim', '__pycache__'} & set(path.parts)
    }


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel of a copy, as a build leaves folders behind."""
    folder = tmp_path_factory.mktemp('packaging')
    for name in SOURCES:
        ignore = shutil.ignore_patterns('.mim', '__pycache__')
        shutil.copytree(ROOT / name, folder / 'source' / name, ignore=ignore)
    for path in filter(Path.is_file, ROOT.iterdir()):
        shutil.copy(path, folder / 'source')
    pip('wheel', '--no-build-isolation', '--wheel-dir', folder, folder / 'source')
    (path,) = folder.glob('*.whl')
    return path


@pytest.fixture(scope='module')
def installed(wheel):
    """Folder that the wheel is installed in."""
    folder = wheel.parent / 'installed'
    pip('install', '--target', folder, wheel)
    return folder


def test_the_wheel_holds_all_packages(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert files('mmaction_kd') <= names
    assert {name.split('/')[0] for name in names if 'dist-info' not in name} == {'mmaction_kd'}


def test_the_wheel_holds_configs_and_tools(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    mim = {name.removeprefix('mmaction_kd/.mim/') for name in names if '/.mim/' in name}
    benchmarks = {name for name in files('tools') if '/benchmark' in name}
    assert benchmarks and mim == files('configs') | files('tools') - benchmarks | {
        'model-index.yml'
    }


def test_launchers_stay_executable(installed):
    for name in files('tools'):
        if name.endswith('.sh'):
            assert os.access(installed / 'mmaction_kd/.mim' / name, os.X_OK), name


def test_metadata(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith('/METADATA'))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata['Name'] == 'mmaction_kd'
    assert metadata['Requires-Python'] == '>=3.10'
    extras = {'lite', 'study', 'deploy', 'pretrained', 'tests', 'lint'}
    assert set(metadata.get_all('Provides-Extra')) == extras
    required = metadata.get_all('Requires-Dist')
    always = {re.match(r'[\w-]+', line)[0] for line in required if ';' not in line}
    assert {'torch', 'torchvision', 'mmaction2', 'mmengine', 'mmpretrain', 'decord'} <= always
    assert not {'mmcv', 'mmcv-lite', 'transformers', 'pytest'} & always  # the user chooses mmcv
    assert any(re.match(r'mmcv-lite.*; ?extra == .lite.$', line) for line in required)


@pytest.mark.parametrize('name', ['runtime', 'lite', 'study', 'tests'])
def test_the_oldest_set_is_the_least_that_is_allowed(name):
    """What requirements/oldest.txt pins is what a `>=` names: torch>=2.1 at 2.1.0."""
    pins = (ROOT / 'requirements/oldest.txt').read_text()
    allowed = (ROOT / f'requirements/{name}.txt').read_text()
    for package, least in re.findall(r'^([\w-]+)>=([\d.]+)', allowed, re.M):
        assert re.search(rf'^{package}=={re.escape(least)}(\.|$)', pins, re.M), package


CHILD = f"""
_base_ = '{BASE}'
train_dataloader = dict(batch_size=3)
"""
READ = """
import sys
import mmaction_kd
from mmengine.config import Config
print(mmaction_kd.__file__)
cfg = Config.fromfile(sys.argv[1])
assert cfg.train_dataloader.batch_size == 3
assert cfg.train_dataloader.dataset.type == 'VideoDataset'
assert cfg.model.type == 'mmaction_kd.MBDRecognizer'
assert cfg.custom_imports.imports == ['mmaction_kd']  # of the base's own base
"""


@pytest.mark.parametrize('how', ['editable', 'wheel'])
def test_a_config_elsewhere_has_ours_as_base(how, tmp_path, request):
    env = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
    folder = ROOT
    if how == 'wheel':
        folder = request.getfixturevalue('installed')
        env['PYTHONPATH'] = str(folder)
    elif not any(  # the checkout's own .egg-info, which python -m finds as well, has no such file
        found.read_text('direct_url.json')
        for found in importlib.metadata.distributions(name='mmaction_kd')
    ):
        pytest.skip('needs an editable install')
    (tmp_path / 'mine.py').write_text(CHILD)
    command = [sys.executable, '-W', 'ignore', '-c', READ, 'mine.py']
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert Path(done.stdout.strip()) == folder / 'mmaction_kd/__init__.py'
