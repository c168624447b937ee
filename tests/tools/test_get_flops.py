"""Truth: multiply-accumulates counted by hand, and the papers' numbers of parameters."""

import re
import runpy
import sys

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from tool_runs import ROOT, TINY

K400 = 'configs/mbd/r2plus1d_vtn_k400.py'
VTN_FRAMES, TOKENS, WIDTH, DEPTH = 16, 197, 768, 12


@pytest.fixture
def get_flops(monkeypatch, capsys):
    """Lines of the tool by their first word: shape, millions of parameters, GMACs."""

    def run(config, *options):
        arguments = ['get_flops.py', str(ROOT / config), *options]
        monkeypatch.setattr(sys, 'argv', arguments)
        with DefaultScope.overwrite_default_scope('mmaction'):
            runpy.run_path(str(ROOT / 'tools/analysis_tools/get_flops.py'), run_name='__main__')
        line = re.compile(r'^(\w+) +([\dx ]+?) +([\d.]+) M +([\d.]+) GMACs$', re.MULTILINE)
        found = line.findall(capsys.readouterr().out)
        return {name: (shape, float(m), float(gmacs)) for name, shape, m, gmacs in found}

    return run


def vit_gmacs(last_block):
    """ViT-B/16 of all frames, with ``last_block`` multiply-accumulates in its last block."""
    block = 12 * WIDTH**2 * TOKENS + 2 * TOKENS**2 * WIDTH
    patches = (TOKENS - 1) * WIDTH * 16 * 16 * 3
    return VTN_FRAMES * (patches + (DEPTH - 1) * block + (last_block or block)) / 1e9


def test_the_papers_pathways(get_flops):
    """The last blocks compute what [CLS] needs; the temporal encoder is less than 0.5 GMACs."""
    cls_only = 12 * WIDTH**2 + 2 * 12 * TOKENS * WIDTH  # keys and values are never projected
    found = get_flops(K400)
    assert found['local_pathway'] == ('1 x 3 x 16 x 112 x 112', 47.04, 10.52)
    shape, millions, gmacs = found['global_pathway']
    assert (shape, millions) == ('1 x 3 x 16 x 224 x 224', 113.50)
    assert 0.1 < gmacs - vit_gmacs(cls_only) < 0.5


@pytest.mark.slow
def test_options_reach_the_model(get_flops):
    """With all tokens the global pathway has 281 GMACs."""
    options = ('--cfg-options', 'model.backbone.cls_only=False')
    (found,) = get_flops('configs/mbd/vtn_vit_b_k400.py', *options).values()
    assert 0.1 < found[2] - vit_gmacs(last_block=None) < 0.5
    assert round(found[2]) == 281


def test_a_config_without_validation(get_flops):
    """The shape is that of the training pipeline."""
    cfg = Config.fromfile(ROOT / TINY)
    found = get_flops(TINY)
    for name, steps in cfg.train_pipeline[0].pathways.items():
        (size,) = (step.size for step in steps if step.type == 'RandomCrop')
        assert found[name][0] == f'1 x 3 x 16 x {size} x {size}'
