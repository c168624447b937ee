"""A training with --resume that has nothing to resume begins as its config says."""

import runpy
from argparse import Namespace

import pytest
import torch
from mmengine.config import Config
from tool_runs import ROOT

merge_args = runpy.run_path(str(ROOT / 'tools/train.py'))['merge_args']
ARGS = dict(
    cfg_options={}, launcher='none', no_validate=False, amp=False, auto_scale_lr=False, seed=None
)


def merged(tmp_path, resume):
    cfg = Config(dict(load_from='stage_1.pth', resume=False, work_dir=str(tmp_path)))
    args = Namespace(**ARGS, diff_rank_seed=False, deterministic=False, work_dir=None)
    cfg = merge_args(cfg, Namespace(**vars(args), resume=resume, config='stage_2.py'))
    return cfg.resume, cfg.load_from


def test_without_a_checkpoint_it_starts_from_load_from(tmp_path):
    """MMEngine's resume drops load_from: stage 2 would begin from nothing, without a word."""
    assert merged(tmp_path, None) == merged(tmp_path, 'auto') == (False, 'stage_1.pth')


@pytest.mark.parametrize('resume, load_from', [('auto', None), ('other.pth', 'other.pth')])
def test_with_a_checkpoint_it_resumes(tmp_path, resume, load_from):
    torch.save(dict(weight=torch.ones(9)), tmp_path / 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    assert merged(tmp_path, resume) == (True, load_from)
