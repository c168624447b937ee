"""Four processes train, validate and test; one process says the same of their checkpoint."""

import json
import pickle
import socket

import pytest
import torch
from mmengine.config import Config
from tool_runs import ROOT, run_tool

CONFIGS = dict(mbd='configs/mbd/tiny_r3d_vtn.py', dtkd='configs/dtkd/dtkd_tiny_slowfast.py')
VIDEOS = 7  # which four processes can not share alike


def write_config(method, demo_set, folder):
    """The tiny config with a validation, on seven of the rendered videos."""
    lines = (demo_set / 'train.txt').read_text().splitlines()
    (folder / 'seven.txt').write_text('\n'.join(lines[:VIDEOS]))
    names = [f'class {i}' for i in range(4)]
    subsets = dict(classes=names, subsets=dict(static=names[:2], dynamic=names[2:]))
    (folder / 'subsets.json').write_text(json.dumps(subsets))
    cfg = Config.fromfile(ROOT / CONFIGS[method])
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.batch_size, loader.num_workers, loader.persistent_workers = 1, 0, False
        loader.dataset.ann_file = str(folder / 'seven.txt')
        loader.dataset.data_prefix = dict(video=str(demo_set / 'videos'))
    cfg.val_dataloader, cfg.val_evaluator, cfg.val_cfg = (
        cfg.test_dataloader, cfg.test_evaluator, dict(),
    )  # fmt: skip
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, save_best=None)
    for teacher in cfg.model.get('teachers', {}).values():
        teacher.checkpoint = None
    path = folder / f'{method}.py'
    path.write_text(cfg.pretty_text.replace('data/demo/subsets.json', str(folder / 'subsets.json')))
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


def metrics_of(work_dir):
    (path,) = work_dir.glob('*/*.json')
    return json.loads(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize('method', CONFIGS)
def test_four_processes_say_what_one_says(method, demo_set, tmp_path):
    """The metrics of the validation and of the test, exactly; and the scores in their order."""
    config = write_config(method, demo_set, tmp_path)
    work = tmp_path / 'train'
    run_tool('tools/dist_train.sh', config, 4, '--work-dir', work, PORT=free_port())
    checkpoint = work / 'epoch_2.pth'
    dumps = {name: tmp_path / f'{name}.pkl' for name in ('four', 'one')}
    rest = ('--work-dir', tmp_path / 'four', '--dump', dumps['four'])
    run_tool('tools/dist_test.sh', config, checkpoint, 4, *rest, PORT=free_port())
    rest = ('--work-dir', tmp_path / 'one', '--dump', dumps['one'])
    run_tool('tools/test.py', config, checkpoint, *rest)

    four, one = (metrics_of(tmp_path / name) for name in ('four', 'one'))
    figures = {key for key in one if '/' in key}
    assert figures and {key: four[key] for key in figures} == {key: one[key] for key in figures}
    (log,) = work.glob('*/vis_data/scalars.json')
    lines = map(json.loads, log.read_text().splitlines())
    validated = [line for line in lines if figures <= line.keys()]
    assert len(validated) == 2
    assert {key: validated[-1][key] for key in figures} == {key: one[key] for key in figures}
    ours, theirs = (pickle.loads(dumps[name].read_bytes()) for name in ('four', 'one'))
    assert len(ours) == len(theirs) == VIDEOS
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.equal(mine['pred_score'], other['pred_score'])
        assert torch.equal(mine['gt_label'], other['gt_label'])
