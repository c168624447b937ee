"""The page after the fact, from the command line."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from made_up_run import evaluation, write_run
from tool_runs import ROOT, run_tool

TOOL = ROOT / 'tools/analysis_tools/run_report.py'


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / 'run', [evaluation([[9, 1], [4, 6]])], ['sit', 'run'])


@pytest.fixture
def main(monkeypatch):
    """The tool in this process: starting another takes seconds."""
    spec = importlib.util.spec_from_file_location('run_report_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run_main(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        tool.main()

    return run_main


def test_page_of_a_run_against_another(run, tmp_path):
    baseline = write_run(tmp_path / 'baseline', [evaluation([[6, 4], [4, 6]])], name='plain')
    out, names = tmp_path / 'pages' / 'report.html', tmp_path / 'classes.txt'
    names.write_text('hinsetzen\nrennen & springen\n')
    output = run_tool(TOOL, run, '--baseline', baseline, '--out', out, '--classes', names)
    assert str(out) in output and 'MB' in output
    html = out.read_text()
    assert 'Against plain, in the last test.' in html
    assert 'hinsetzen' in html and 'rennen &amp; springen' in html
    assert '+30.0' in html
    assert not (run / 'distill_report.html').exists()


def test_page_of_a_stock_run_lies_in_its_folder(run, main):
    """From the log alone: losses and accuracies."""
    (run / 'distill_record.jsonl').unlink()
    main(run)
    html = (run / 'distill_report.html').read_text()
    assert 'Cross-entropy' in html and 'no distillation' in html and 'Confusions' not in html


def test_metrics_of_a_stock_test_are_found(run, main):
    (run / 'distill_record.jsonl').unlink()
    folder = run / 'test' / '20260103_000000'
    folder.mkdir(parents=True)
    (folder / '20260103_000000.json').write_text(json.dumps({'acc/top1': 0.4321}))
    main(run)
    html = (run / 'distill_report.html').read_text()
    assert 'Reached in the last test' in html and '0.4321' in html


@pytest.mark.parametrize(
    'arguments, words',
    [
        (['nowhere'], 'must be the work dir of a training, got'),
        (['empty'], 'must hold TIMESTAMP/vis_data/scalars.json or distill_record.jsonl, got'),
        (['run', '--baseline', 'other'], 'must have the same classes, got 2 in'),
        (['run', '--baseline', 'stock'], 'a comparison needs the predictions of both runs'),
        (['run', '--classes', 'three.txt'], '--classes must name the 2 classes of the run, got 3'),
        (['run', '--classes', 'gone.txt'], 'classes must be a file with one name a line, got'),
    ],
)
def test_errors_say_what_is_wrong(run, main, tmp_path, arguments, words):
    (tmp_path / 'empty').mkdir()
    write_run(tmp_path / 'other', [evaluation(np.eye(3, dtype=int))])
    write_run(tmp_path / 'stock')
    (tmp_path / 'three.txt').write_text('a\nb\nc\n')
    paths = [a if a.startswith('--') else tmp_path / a for a in arguments]
    with pytest.raises(SystemExit) as stopped:
        main(*paths)
    assert words in str(stopped.value)
    assert not (run / 'distill_report.html').exists()
