"""The host with timm installed: its import, and its own way to timm's backbones."""

import subprocess
import sys

import pytest

from mmaction_kd.host_fixes import missing_modules

NEEDED = {
    'transformers.modeling_utils': 'def find_pruneable_heads_and_indices',
    'timm.models.layers': 'DropPath',
}
# The two imports in either order, as a program of the user's may have them.
PROGRAM = """
{imports}
import mmaction.models
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
init_default_scope('mmaction')
head = dict(type='TSNHead', num_classes=2, in_channels=1280)
MODELS.build(dict(
    type='Recognizer2D', backbone=dict(type='timm.tf_efficientnet_lite0'), cls_head=head
))
"""


@pytest.mark.parametrize(
    'imports', ['import timm\nimport mmaction_kd', 'import mmaction_kd\nimport timm']
)
def test_the_host_imports_and_builds_a_timm_backbone(imports, tmp_path):
    pytest.importorskip('timm')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', PROGRAM.format(imports=imports)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('gone', [None, *NEEDED])
def test_the_multimodal_part_is_off_where_something_it_needs_is_gone(monkeypatch, gone):
    sources = {name: text for name, text in NEEDED.items() if name != gone}
    monkeypatch.setattr(missing_modules, 'is_importable', lambda name: True)
    monkeypatch.setattr(missing_modules, 'source_of', lambda name: sources.get(name, ''))
    assert missing_modules._multimodal_fails() == (gone is not None)


def test_without_transformers_the_host_leaves_the_multimodal_part_off(monkeypatch):
    monkeypatch.setattr(missing_modules, 'is_importable', lambda name: name != 'transformers')
    assert not missing_modules._multimodal_fails()
