"""tools/test.py --dump: the predictions are complete, or what was there before."""

import importlib.util
import os
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import dump, load
from tool_runs import ROOT


@pytest.fixture
def atomic_dump():
    spec = importlib.util.spec_from_file_location('tools_test', ROOT / 'tools/test.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.atomic_dump


def config(path):
    return Config(dict(test_evaluator=[dict(type='DumpResults', out_file_path=str(path))]))


def test_the_dump_has_its_name_when_the_test_is_done(atomic_dump, tmp_path):
    path = tmp_path / 'scores.pkl'
    path.write_text('old')
    cfg = config(path)
    with atomic_dump(cfg, str(path)):
        written = Path(cfg.test_evaluator[0].out_file_path)
        assert written.suffix == '.pkl'  # DumpResults takes no other
        dump([1, 2], written)
        assert path.read_text() == 'old'
    assert load(path) == [1, 2] and os.listdir(tmp_path) == ['scores.pkl']


def test_of_a_test_that_fails_nothing_is_left(atomic_dump, tmp_path):
    path = tmp_path / 'scores.pkl'
    path.write_text('old')
    cfg = config(path)
    with pytest.raises(ZeroDivisionError), atomic_dump(cfg, str(path)):
        Path(cfg.test_evaluator[0].out_file_path).write_bytes(b'half')
        raise ZeroDivisionError
    assert path.read_text() == 'old' and os.listdir(tmp_path) == ['scores.pkl']


def test_without_dump_nothing_is_changed(atomic_dump):
    cfg = Config(dict(test_evaluator=dict(type='AccMetric')))
    with atomic_dump(cfg, None):
        assert cfg.test_evaluator == dict(type='AccMetric')
