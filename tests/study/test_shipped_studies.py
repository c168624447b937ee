"""Each study file of configs/: it reads, and each of its options is one that its model takes."""

import inspect
import runpy
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmaction_kd.registry import MODELS
from mmaction_kd.study.plan import Study
from mmaction_kd.study.report import write_report

CONFIGS = Path(__file__).parents[2] / 'configs'
STUDIES = sorted(CONFIGS.glob('*/studies/*.py'))

each_study = pytest.mark.parametrize('path', STUDIES, ids=lambda p: f'{p.parts[-3]}-{p.stem}')


def test_there_are_studies():
    assert len(STUDIES) >= 10


def test_each_has_a_work_dir_of_its_own(monkeypatch):
    """Also where two methods have a study of one name, wherever it is started."""
    parse_args = runpy.run_path(str(CONFIGS.parent / 'tools/study.py'))['parse_args']

    def work_dir(path):
        monkeypatch.setattr(sys, 'argv', ['study.py', str(path)])
        return parse_args().work_dir

    found = [work_dir(path) for path in STUDIES]
    assert len(set(found)) == len(STUDIES) > len({path.stem for path in STUDIES})
    monkeypatch.chdir(STUDIES[0].parent)
    assert work_dir(STUDIES[0].name) == found[0]


@each_study
def test_it_reads_and_reports_that_nothing_is_done(path, tmp_path):
    study = Study(path, tmp_path)
    text = write_report(study).read_text()
    assert text.startswith(f'# {study.cfg.title}\n')
    assert f'0 of {len(study.runs)} runs done' in text
    assert text.count('\n| ---') or text.count('\n| --- |'), 'a table'


@each_study
def test_its_options_are_settings_that_exist(path, tmp_path):
    """A misspelt option would make a new setting, and an arm equal to its neighbour."""
    runs = [run for run in Study(path, tmp_path).runs if run.seed in (0, None)]
    for run in {run.arm: run for run in runs}.values():
        trained = run.test_of or run
        if trained.config is None or str(tmp_path) in trained.config:
            continue  # made by a tool when the study runs
        cfg = Config.fromfile(trained.config)
        for key in run.options:
            assert _exists(cfg, key), f'{run.arm}: {key}'
        run.build_config()


def _exists(cfg, key):
    *parents, last = key.split('.')
    node = cfg
    for part in parents:
        node = node[int(part)] if isinstance(node, (list, tuple)) else node[part]
    if last in node:
        return True
    with DefaultScope.overwrite_default_scope('mmaction'):
        return last in inspect.signature(MODELS.get(node.type)).parameters


@each_study
def test_arms_differ(path, tmp_path):
    """No two arms of a fold and seed do the same."""
    study = Study(path, tmp_path)
    seen = {}
    for run in study.runs:
        if run.fold == study.folds[0] and run.seed in (study.seeds[0], None):
            what = (run.config, run.command, repr(run.test_of and run.test_of.name))
            key = (*what, repr(sorted(run.options.items())))
            assert key not in seen, f'{run.name} and {seen[key]}'
            seen[key] = run.name
