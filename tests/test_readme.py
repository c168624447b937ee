"""What the pages say is so."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    TRANSFORMS,
    init_default_scope,
)

from mmaction_kd.registry import SCOPE

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *(ROOT / f'{name}.md' for name in ('README', 'CONTRIBUTING', 'configs/zoo')),
        *(ROOT / name / 'README.md' for name in ('mmaction_kd', 'tools', 'configs')),
        *ROOT.glob('configs/*/README.md'),
    ]
)
REGISTRIES = (MODELS, DATASETS, TRANSFORMS, METRICS, HOOKS)
each_page = pytest.mark.parametrize('page', PAGES, ids=lambda p: str(p.relative_to(ROOT)))


def python_blocks(page):
    return re.findall(r'```python\n(.*?)```', page.read_text(), re.S)


@each_page
def test_every_component_is_registered(page):
    for name in set(re.findall(r'`(mmaction_kd\.[A-Z]\w+)`', page.read_text())):
        assert any(registry.get(name) is not None for registry in REGISTRIES), name


def test_the_list_of_components_is_complete():
    ours = [registry.children[SCOPE] for registry in REGISTRIES]
    for registry in ours:
        registry.import_from_location()
    registered = {
        name
        for registry in ours
        for name, component in registry.module_dict.items()
        if component.__module__.startswith(f'{SCOPE}.')  # other tests register their own
    }
    page = (ROOT / 'mmaction_kd/README.md').read_text()
    listed = re.findall(r'`mmaction_kd\.(\w+)`(?=.* \|)', page)
    assert registered == set(listed)


@each_page
def test_every_file_is_there(page):
    text = page.read_text()
    links = re.findall(r'\]\((?!http)([^)#]+)\)', text)
    for link in links:
        assert (page.parent / link).exists(), link
    named = re.findall(r'(?<![\w/])((?:configs|tools|requirements)/[\w./]+\.(?:py|sh|txt))', text)
    for path in named:
        assert (ROOT / path).is_file(), path


@each_page
def test_every_command_of_the_makefile_is_there(page):
    targets = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.M)
    for target in re.findall(r'\bmake ([\w-]+)(?=[`\s]+[#-])', page.read_text()):
        assert target in targets, target


def test_another_backbone_in_ten_lines(tmp_path):
    """The README's snippet: ten lines or fewer, builds, and finds the feature's size."""
    [snippet] = [b for b in python_blocks(ROOT / 'README.md') if '_base_' in b]
    assert len(snippet.strip().splitlines()) <= 10
    path = tmp_path / 'x3d_vtn.py'
    path.write_text(snippet)
    cfg = Config.fromfile(path)
    assert cfg.model.local_pathway.config.startswith('mmaction::')
    init_default_scope('mmaction')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert type(model.local_pathway.backbone).__name__ == 'X3D'
    assert model.distill_loss.projectors['local_to_global'][0].in_features == 96
