"""Arguments of another kind end with the option's name; a bad annotation with file and line."""

import runpy
import sys

import pytest
from tool_runs import ROOT

VALUES = [
    ('train.py', ['a.py'], '--seed', '-1'),
    ('train.py', ['a.py'], '--seed', 'one'),
    ('test.py', ['a.py', 'a.pth'], '--interval', '0'),
    ('test.py', ['a.py', 'a.pth'], '--wait-time', 'long'),
    ('test.py', ['a.py', 'a.pth'], '--dump', 'scores.txt'),
    ('dtkd.py', ['a.py'], '--devices', '0'),
    ('data/make_demo_videos.py', ['out'], '--train', '0'),
    ('data/make_demo_videos.py', ['out'], '--test', 'ten'),
    ('data/optical_flow_subsets.py', ['a.py', '--out', 'a.json'], '--workers', '0'),
    ('data/optical_flow_subsets.py', ['a.py'], '--out', 'a.txt'),
    ('data/check_videos.py', ['a.py', '--out', 'a.json'], '--timeout', 'nan'),
    ('store_teachers.py', ['a.py'], '--tolerance', 'nan'),
    ('analysis_tools/benchmark.py', ['temporal-encoder'], '--pairs', '0'),
    ('analysis_tools/benchmark.py', ['temporal-encoder'], '--threads', '0'),
]


def run(monkeypatch, tool, *arguments):
    monkeypatch.setattr(sys, 'argv', [tool, *arguments])
    monkeypatch.setenv('LOCAL_RANK', '0')
    runpy.run_path(str(ROOT / 'tools' / tool), run_name='__main__')


@pytest.mark.parametrize('tool, others, option, value', VALUES)
def test_an_argument_of_another_kind_is_told(monkeypatch, capsys, tool, others, option, value):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, tool, *others, option, value)
    output = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 2 and option in output and value in output


def test_a_study_of_no_jobs_is_told(monkeypatch, tmp_path):
    study = tmp_path / 'study.py'
    study.write_text('arms = dict(a=dict(command="measure"))\n')
    with pytest.raises(SystemExit, match='study: jobs must be at least 1, got 0'):
        run(monkeypatch, 'study.py', str(study), '--work-dir', str(tmp_path), '--jobs', '0')


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_a_bad_line_is_told_before_anything_is_built(monkeypatch, tmp_path, tool):
    """Nothing stands in the work dir, and the model is none that could be built."""
    (tmp_path / 'ann.txt').write_text('a.mp4 0\nb.mp4 1\nc.mp4\n')
    (tmp_path / 'a.py').write_text(
        f"""
dataset = dict(type='VideoDataset', ann_file=r'{tmp_path}/ann.txt', pipeline=[])
train_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dict(type='RepeatDataset', times=1, dataset=dataset))
model = dict(type='NoSuchModel', cls_head=dict(num_classes=2))
"""
    )
    arguments = [str(tmp_path / 'a.py'), *(['none.pth'] if tool == 'test.py' else [])]
    output = f"line 3 of {tmp_path}/ann.txt must be 'VIDEO LABEL', got 'c.mp4'; add what is missing"
    with pytest.raises(ValueError, match=output):
        run(monkeypatch, tool, *arguments, '--work-dir', str(tmp_path / 'work'))
    assert not (tmp_path / 'work').exists()
