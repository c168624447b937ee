"""The rows of both papers, configs/*/paper.yml, against the configs that they name.

What a setting's name means in a config is in ``{method}_settings.py``, by name: a function of the
config and of ``trained_by``, which gives for a checkpoint the name and the config of the training
that leaves it (the leaf, or the arm of the study).
"""

import copy
import functools
import importlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from mmaction_kd.study.plan import Study

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / 'configs'
PAPERS = {
    path.parent.name: yaml.safe_load(path.read_text())
    for path in sorted(CONFIGS.glob('*/paper.yml'))
}
ROWS = [
    (method, item, name, kind)
    for method, paper in PAPERS.items()
    for item, content in paper['published'].items()
    for name, row in content['rows'].items()
    for kind in ('config', 'study')
    if kind in row
]
ITEM_KEYS = {'title', 'columns', 'settings', 'chosen', 'command', 'rows'}
ROW_KEYS = {'study', 'arm', 'config', 'options', 'settings', 'paper', 'counted'}


read_leaf = functools.cache(Config.fromfile)


@functools.cache
def read_study(path):
    return Study(path, Path(tempfile.gettempdir(), 'study'))


@functools.cache
def read_arm(path, arm):
    """The config of an arm as it is run; of a tool, that of the model whose scores it takes."""
    run = read_study(path).wanted([arm])[-1]
    while run.command is not None:
        run = run.needs[-1]
    return run.build_config()


def built(method, name, row, kind):
    """The row's config as it is run, and what leaves a checkpoint that it names."""
    if kind == 'config':
        cfg = copy.deepcopy(read_leaf(CONFIGS / method / row['config']))
        cfg.merge_from_dict(row.get('options', {}))
        return cfg, leaf_that_leaves
    path = CONFIGS / method / row['study']

    def arm_that_leaves(checkpoint):
        arms = {str(run.checkpoint_file): run.arm for run in read_study(path).runs}
        if checkpoint not in arms:
            return leaf_that_leaves(checkpoint)
        return arms[checkpoint], read_arm(path, arms[checkpoint])

    return read_arm(path, row.get('arm', name)), arm_that_leaves


def leaf_that_leaves(checkpoint):
    stem = Path(checkpoint).parent.name
    (path,) = (path for path in CONFIGS.rglob(f'{stem}.py') if 'studies' not in path.parts)
    return stem, read_leaf(path)


@pytest.mark.parametrize(
    ('method', 'item', 'name', 'kind'), ROWS, ids=lambda part: part.replace(' ', '')
)
def test_a_rows_config_is_as_the_paper_says(method, item, name, kind):
    of_item = PAPERS[method]['published'][item]
    row = of_item['rows'][name]
    expected = {}
    for part in (PAPERS[method], of_item, row):
        expected |= {**part.get('settings', {}), **part.get('chosen', {})}
    cfg, trained_by = built(method, name, row, kind)
    readers = importlib.import_module(f'{method}_settings').SETTINGS
    assert {key: readers[key](cfg, trained_by) for key in expected} == expected


@pytest.mark.parametrize('method', PAPERS)
def test_a_row_has_what_its_readers_know(method):
    """A misspelt key would be a setting or a figure that nobody sees."""
    for item in PAPERS[method]['published'].values():
        assert item.keys() <= ITEM_KEYS
        for name, row in item['rows'].items():
            assert row.keys() <= ROW_KEYS, name
            assert row.keys() & {'study', 'config'} or not row.keys() & {'arm', 'options'}, name
            figures = {**row.get('paper', {}), **row.get('counted', {})}
            assert figures.keys() <= item['columns'].keys(), name
            for value in figures.values():  # in quotes, as 95.10 is not 95.1
                assert isinstance(value, str) and re.fullmatch(r'-?\d+(\.\d+)?', value), name


@pytest.mark.parametrize('method', PAPERS)
def test_every_row_of_accuracies_is_one_command(method):
    for item in PAPERS[method]['published'].values():
        for name, row in item['rows'].items():
            if any(key.endswith('top1') for key in row.get('paper', {})):
                assert row.keys() & {'study', 'config'}, name


def test_the_readmes_have_the_tables_of_paper_yml():
    tool = ROOT / 'tools/analysis_tools/paper_tables.py'
    done = subprocess.run([sys.executable, tool, '--check'], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
