"""A distilled student and MMAction2 as it is, in a process without this package."""

import json
import pickle

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from tool_runs import ROOT, run_tool

STOCK = 'tests/tools/stock_mmaction.py'
SUBSETS = dict(dynamic=[0, 1], static=[2, 3])


@pytest.fixture(scope='module')
def configs(demo_set, tmp_path_factory):
    """The tiny student alone, of MMAction2's types only, and the same with two teachers."""
    folder = tmp_path_factory.mktemp('configs')
    plain = Config.fromfile(ROOT / 'configs/dtkd/tiny_slowfast.py')
    plain.pop('custom_imports')
    for hook in ('epoch_seed', 'distill_report', 'loaded_weights', 'skipped_steps'):
        plain.default_hooks.pop(hook)
    plain.default_hooks.checkpoint.type = 'CheckpointHook'
    plain.test_evaluator = dict(type='AccMetric')
    plain.model.cls_head.dropout_ratio = 0.5
    for loader, split in (('train_dataloader', 'train'), ('test_dataloader', 'test')):
        plain[loader].update(batch_size=2, num_workers=0, persistent_workers=False)
        plain[loader].dataset.update(
            ann_file=str(demo_set / f'{split}.txt'),
            data_prefix=dict(video=str(demo_set / 'videos')),
        )
    plain.train_cfg.max_epochs = 5  # of 4 iterations
    plain.default_hooks.logger.interval = 1
    plain.log_processor.window_size = 1
    plain.dump(folder / 'plain.py')
    assert 'mmaction_kd' not in (folder / 'plain.py').read_text()
    teacher = dict(plain.model, cls_head=dict(plain.model.cls_head, num_classes=2))
    distilled = Config(dict(plain))
    distilled.model = dict(
        type='mmaction_kd.DualTeacherDistiller',
        student=plain.model,
        teachers=dict(dynamic=teacher, static=teacher),
        distill_loss=dict(type='mmaction_kd.SubsetDistillLoss', subsets=SUBSETS),
    )
    distilled.custom_imports = dict(imports=['mmaction_kd'], allow_failed_imports=False)
    distilled.dump(folder / 'distilled.py')
    return folder


def logged(work_dir):
    """Loss and accuracy of every iteration, as text with all digits."""
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = map(json.loads, path.read_text().splitlines())
    return [(line['loss'], line['loss_cls'], line['top1_acc'], line['lr']) for line in lines]


def test_without_kd_20_iterations_are_those_of_the_stock_student(configs, tmp_path):
    stock, ours = tmp_path / 'stock', tmp_path / 'ours'
    output = run_tool(STOCK, 'train.py', configs / 'plain.py', '--work-dir', stock)
    assert 'ran without mmaction_kd' in output
    option = ('--cfg-options', 'model.distill_loss.kd_weight=0.0')
    run_tool('tools/train.py', configs / 'distilled.py', '--work-dir', ours, *option)
    assert len(logged(stock)) == 20
    assert logged(ours) == logged(stock)
    a, b = (
        CheckpointLoader.load_checkpoint(str(work / 'epoch_5.pth'), map_location='cpu')[
            'state_dict'
        ]
        for work in (stock, ours)
    )
    assert list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def test_a_distilled_checkpoint_is_tested_by_stock_mmaction(configs, tmp_path):
    """With the plain config: the same scores, bit for bit, and nothing missing or unexpected."""
    work = tmp_path / 'train'
    one = ('--cfg-options', 'train_cfg.max_epochs=1')
    run_tool('tools/train.py', configs / 'distilled.py', '--work-dir', work, *one)
    dumps = {name: tmp_path / f'{name}.pkl' for name in ('plain', 'distilled')}
    arguments = {
        name: (configs / f'{name}.py', work / 'epoch_1.pth', '--work-dir', tmp_path, '--dump', dump)
        for name, dump in dumps.items()
    }
    output = run_tool(STOCK, 'test.py', *arguments['plain'])
    assert 'ran without mmaction_kd' in output
    assert 'do not match exactly' not in output
    run_tool('tools/test.py', *arguments['distilled'])
    stock, ours = (pickle.loads(path.read_bytes()) for path in dumps.values())
    assert len(stock) == 4
    for a, b in zip(stock, ours, strict=True):
        assert torch.equal(a['pred_score'], b['pred_score'])
