"""A study stays in its work dir, whatever its arms, folds and seeds are called."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mmengine.config import Config
from strange_input import NAMES, QUICK

from mmaction_kd.study.launch import Launcher
from mmaction_kd.study.plan import Study

COMMAND = dict(command='measure {fold} {seed}')


@QUICK
@given(arm=NAMES, fold=NAMES, seed=st.integers(-1, 10**9))
@example(arm='..', fold='f', seed=0)
@example(arm='a', fold='..', seed=0)
@example(arm='a', fold='../../x', seed=0)
@example(arm='a', fold='/etc', seed=0)
@example(arm='x' * 201, fold='f', seed=0)
@example(arm='a', fold='é' * 101, seed=0)
def test_each_run_has_a_folder_of_its_own_in_the_work_dir(monkeypatch, tmp_path, arm, fold, seed):
    content = Config(dict(arms={arm: COMMAND}, folds=[fold], seeds=[seed]))
    monkeypatch.setattr(Config, 'fromfile', lambda path: content)
    try:
        study = Study('study.py', tmp_path / 'work')
    except ValueError as error:
        assert str(error).startswith('study.py: ') and re.search('arm|fold|seeds', str(error))
        return
    (run,) = study.runs
    inside = (tmp_path / 'work' / 'runs').resolve()
    assert run.folder.resolve().relative_to(inside).parts == (arm, fold, f'seed{seed}')
    run.folder.mkdir(parents=True)


@pytest.mark.parametrize(
    'content, words',
    [
        (dict(folds=['../../x']), r"fold '../../x' names a folder: letters, .*; rename it"),
        (dict(folds='one'), "folds must be a list of strings, got 'one'"),
        (dict(folds=[1]), r'folds must be a list of strings, got \[1\]'),
        (dict(seeds=['0']), r"seeds must be a list of integers, .*got \['0'\]"),
        (dict(seeds=[-1]), r'seeds must be .* at least 0, got \[-1\]'),
        (dict(seeds=3), 'seeds must be a list of integers'),
        (dict(seeds=[True]), 'seeds must be a list of integers'),
        (dict(arms=['a']), r"a study must have arms, a dict, got \['a'\]"),
        (dict(arms={}), 'a study must have arms, a dict, got none'),
        (dict(arms=dict(a='x')), "arm 'a' must be a dict, got 'x'"),
        (dict(arms={'..': COMMAND}), r"arm '\.\.' names a folder"),
        (dict(arms=dict(a=dict(command=3))), "arm 'a': command must be a string or None, got 3"),
        (
            dict(arms=dict(a=dict(COMMAND, grid={'x': 'ab'}))),
            "arm 'a': grid must be a dict of lists or None, got {'x': 'ab'}",
        ),
        (
            dict(arms=dict(a=dict(COMMAND, grid={'x': ['../y']}))),
            r"arm 'a,x=\.\./y' names a folder",
        ),
        (dict(arms=dict(a=dict(COMMAND, options=[1]))), "arm 'a': options must be a dict or None"),
    ],
)
def test_settings_of_another_kind_are_told(monkeypatch, tmp_path, content, words):
    content = Config({**dict(arms=dict(a=COMMAND)), **content})
    monkeypatch.setattr(Config, 'fromfile', lambda path: content)
    with pytest.raises(ValueError, match=f'^study.py: {words}'):
        Study('study.py', tmp_path)


def test_a_launcher_needs_devices_and_jobs(tmp_path):
    for key in ('devices', 'jobs'):
        with pytest.raises(ValueError, match=f'^study: {key} must be at least 1, got 0'):
            Launcher(tmp_path, tmp_path, **{key: 0})
