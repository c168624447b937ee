"""Run a tool of MMAction2 itself, without this package: ``stock_mmaction.py train.py ARGUMENTS``.

All that is fixed is what keeps today's wheel from running at all: the module that it forgets
(a stand-in), PyTorch's refusal of MMEngine's own checkpoints (PyTorch's own switch), and that it
takes transformers, which other tests use, for a sign that timm is there (transformers is hidden).
"""

import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import importlib_metadata

FORGOTTEN = 'mmaction.models.localizers.drn'


def _installed_but_transformers(name, installed=importlib_metadata.distribution):
    if name == 'transformers':
        raise importlib_metadata.PackageNotFoundError(name)
    return installed(name)


def main():
    os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] = '1'
    for name in (FORGOTTEN, f'{FORGOTTEN}.drn'):
        sys.modules[name] = ModuleType(name)
    importlib_metadata.distribution = _installed_but_transformers
    sys.modules[FORGOTTEN].__path__ = []
    sys.modules[f'{FORGOTTEN}.drn'].DRN = type('DRN', (), {})
    tool = Path(find_spec('mmaction').origin).parent / '.mim' / 'tools' / sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_path(str(tool), run_name='__main__')
    ours = [name for name in sys.modules if name.startswith('mmaction_kd')]
    assert not ours, f'this was to run without {ours}'
    print('ran without mmaction_kd')


if __name__ == '__main__':
    main()
