"""A checkpoint that would run code is refused at every door of the tools, and named."""

import json
import os
import pickle
import runpy
import sys
import traceback

import pytest
import torch
from mmengine.registry import DefaultScope
from tool_runs import ROOT, TINY, shrunken

DTKD = 'configs/dtkd/dtkd_tiny_slowfast.py'


class RunsCode:
    """Pickled as a call of the shell."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def evil(tmp_path):
    """A checkpoint that makes a file when it is unpickled, and that file."""
    ran, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    torch.save(dict(state_dict={}, meta=RunsCode(f'touch {ran}')), path)
    return path, ran


def run_in_process(monkeypatch, script, *arguments):
    """A tool's main, in this process: an import of a second takes ten in another."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
    with DefaultScope.overwrite_default_scope('mmaction'):
        runpy.run_path(str(ROOT / script), run_name='__main__')


DOORS = {
    'tools/test.py': ('tools/test.py', TINY, ['EVIL'], {}),
    'load_from': ('tools/train.py', TINY, [], {'load_from': 'EVIL'}),
    '--resume': ('tools/train.py', TINY, ['--resume', 'EVIL'], {}),
    'a pathway': ('tools/train.py', TINY, [], {'model.global_pathway.checkpoint': 'EVIL'}),
    'init_cfg': (
        'tools/train.py',
        TINY,
        [],
        {
            'model.global_pathway.backbone.init_cfg._delete_': True,
            'model.global_pathway.backbone.init_cfg.type': 'Pretrained',
            'model.global_pathway.backbone.init_cfg.checkpoint': 'EVIL',
        },
    ),
    'pretrained': (
        'tools/train.py',
        TINY,
        [],
        {
            'model.local_pathway.backbone.pretrained': 'EVIL',
            'model.local_pathway.backbone.pretrained2d': False,
        },
    ),
    'a teacher': (
        'tools/train.py',
        DTKD,
        [],
        {
            'model.teachers.static.checkpoint': 'EVIL',
            'model.teachers.dynamic.checkpoint': 'EVIL',
            'model.distill_loss.subsets': 'SUBSETS',
        },
    ),
}


@pytest.mark.parametrize('door', DOORS)
def test_at_the_door_of(door, evil, demo_set, tmp_path, monkeypatch):
    path, ran = evil
    script, config, more, changes = DOORS[door]
    arguments = [config, *more, '--work-dir', tmp_path / 'run', *shrunken(demo_set)]
    arguments += [f'{key}={value}' for key, value in changes.items()]
    names = (demo_set / 'classes.txt').read_text().split('\n')[:4]
    subsets = tmp_path / 'subsets.json'
    subsets.write_text(
        json.dumps(dict(classes=names, subsets=dict(static=names[:2], dynamic=names[2:])))
    )
    for word, file in (('EVIL', path), ('SUBSETS', subsets)):
        arguments = [str(argument).replace(word, str(file)) for argument in arguments]
    with pytest.raises(Exception, match='checkpoint loader: a checkpoint must hold only') as error:
        run_in_process(monkeypatch, script, *arguments)
    # MMEngine's registry wraps what a constructor raises; the file is named in either case.
    text = ''.join(traceback.format_exception(error.value))
    assert pickle.UnpicklingError.__name__ in text and str(path) in text and 'posix.system' in text
    assert not ran.exists()
