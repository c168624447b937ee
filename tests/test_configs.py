"""Every config of configs/: what must hold between its parts, and that it runs."""

import ast
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmaction_kd.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
CLASSES = dict(k400=400, ucf101=101, hmdb51=51, sthv2=174, tiny=4)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

each_config = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def build(cfg):
    """The model, without weights: that of a paper has some hundred million."""
    # mmpretrain's ResNet, which only the tiny config has, can't be built without.
    device = 'cpu' if 'mmpretrain.ResNet' in cfg.pretty_text else 'meta'
    with torch.device(device):
        return MODELS.build(cfg.model)


def pipelines(cfg):
    """For each loader that the config has: the stock pipelines, by pathway ('' for one model)."""
    found = {}
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            steps = cfg[loader].dataset.pipeline
            found[loader] = steps[0].pathways if len(steps) == 1 else {'': steps}
    return found


def parts(model):
    """What a model's config is made of."""
    return [part for part in model.values() if isinstance(part, dict)]


def only(steps, kind):
    """The step of this type."""
    (step,) = (step for step in steps if step.type.endswith(kind))
    return step


def count_millions(module):
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def test_there_are_configs():
    assert len(LEAVES) >= 11


@each_config
def test_a_dumped_config_is_the_same(path, tmp_path):
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@each_config
def test_model_and_pipelines_build(path):
    cfg = Config.fromfile(path)
    build(cfg)
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            Compose(cfg[loader].dataset.pipeline)


@each_config
def test_heads_have_the_classes_of_the_data_set(path):
    (classes,) = (count for name, count in CLASSES.items() if name in path.stem.split('_'))
    model = Config.fromfile(path).model
    pathways = [value for key, value in model.items() if key.endswith('_pathway')] or [model]
    assert [pathway.cls_head.num_classes for pathway in pathways] == [classes] * len(pathways)


@each_config
def test_vtn_knows_the_stride_that_its_frames_have(path):
    cfg = Config.fromfile(path)
    for loader, by_pathway in pipelines(cfg).items():
        for name, steps in by_pathway.items():
            backbone = (cfg.model[name] if name else cfg.model).backbone
            if backbone.type == 'mmaction_kd.VTN':
                sampled = only(steps, 'SampleFrames').frame_interval
                assert sampled == backbone.frame_interval, (loader, name)


@each_config
def test_the_views_are_one_but_in_the_test_thirty(path):
    for loader, by_pathway in pipelines(Config.fromfile(path)).items():
        for steps in by_pathway.values():
            crops = 3 if any('ThreeCrop' in step.type for step in steps) else 1
            views = only(steps, 'SampleFrames').num_clips * crops
            assert views == (30 if loader == 'test_dataloader' else 1)


@each_config
def test_only_training_is_random(path):
    for loader, by_pathway in pipelines(Config.fromfile(path)).items():
        for steps in by_pathway.values():
            random = any(re.search(r'Random|Flip|Jitter', step.type) for step in steps)
            sampled_at_random = not only(steps, 'SampleFrames').get('test_mode', False)
            assert random == sampled_at_random == (loader == 'train_dataloader')


@each_config
def test_no_flip_where_a_class_is_a_direction(path):
    if {'sthv2', 'tiny'} & set(path.stem.split('_')):
        for steps in pipelines(Config.fromfile(path))['train_dataloader'].values():
            assert all(step.get('flip_ratio', 0) == 0 for step in steps)


@each_config
def test_batch_on_eight_devices_is_the_papers(path):
    cfg = Config.fromfile(path)
    if 'tiny' not in path.stem:
        mutual = cfg.model.type == 'mmaction_kd.MBDRecognizer'
        assert 8 * cfg.train_dataloader.batch_size == (32 if mutual else 64)
        assert cfg.auto_scale_lr.base_batch_size == (32 if mutual else 64)


@each_config
def test_learning_rate_ends_at_zero_with_the_last_epoch(path):
    cfg = Config.fromfile(path)
    last = cfg.param_scheduler[-1]
    assert last.type == 'CosineAnnealingLR' and last.eta_min == 0
    assert last.T_max == cfg.train_cfg.max_epochs


@each_config
def test_resuming_is_exact(path):
    """What EpochSeedHook needs: test_resume.py shows that it then is."""
    cfg = Config.fromfile(path)
    assert cfg.default_hooks.epoch_seed.type == 'mmaction_kd.EpochSeedHook'
    assert cfg.randomness.seed is not None
    assert not cfg.train_dataloader.get('persistent_workers', False)


@each_config
def test_lists_of_videos_are_those_of_the_split(path):
    cfg = Config.fromfile(path)
    lists = {loader: cfg[loader].dataset.ann_file for loader in LOADERS if cfg.get(loader)}
    assert 'train' in lists['train_dataloader'] and 'train' not in lists['test_dataloader']
    assert lists.get('val_dataloader', lists['test_dataloader']) == lists['test_dataloader']
    split = re.search(r'_split(\d)', path.stem)
    if split:
        assert all(f'_split_{split[1]}_' in name for name in lists.values())


@each_config
def test_header_has_the_command_of_this_file(path):
    header = ast.get_docstring(ast.parse(path.read_text()))
    command = f'tools/dist_train.sh {path.relative_to(CONFIGS.parent)} '
    assert re.search(rf'^ *{re.escape(command)}\d+$', header, re.MULTILINE)


@each_config
def test_weights_to_start_from_are_what_another_config_leaves(path):
    cfg = Config.fromfile(path)
    named = [cfg.load_from, *(part.get('checkpoint') for part in parts(cfg.model))]
    for checkpoint in filter(None, named):
        name, epoch = re.fullmatch(r'work_dirs/(\w+)/epoch_(\d+)\.pth', checkpoint).groups()
        assert Config.fromfile(path.parent / f'{name}.py').train_cfg.max_epochs == int(epoch)


@pytest.mark.parametrize(
    'config, pathway, millions',
    [
        ('r2plus1d_50_k400', '', 47.04),
        ('vtn_vit_b_k400', '', 113.50),
        ('r2plus1d_vtn_k400', 'local_pathway', 47.04),
        ('r2plus1d_vtn_k400', 'global_pathway', 113.50),
    ],
)
def test_size_of_the_papers_pathways(config, pathway, millions):
    """MBD, table 1: 47.04 M and 113.5 M parameters."""
    model = build(Config.fromfile(CONFIGS / f'mbd/{config}.py'))
    assert round(count_millions(model.get_submodule(pathway)), 2) == millions


# --- Every config runs ------------------------------------------------------------------------


def shrink(cfg, videos, tmp_path):
    """Two small videos, 6 test views, a small ViT: the types and the pipelines stay."""
    lines = [f'{videos[name]} {label}' for label, name in enumerate(('long', 'short'))]
    (tmp_path / 'videos.txt').write_text('\n'.join(lines))
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            cfg[loader].update(batch_size=1, num_workers=0, persistent_workers=False)
            cfg[loader].dataset.update(
                ann_file=str(tmp_path / 'videos.txt'), data_prefix=dict(video='')
            )
    for steps in pipelines(cfg)['test_dataloader'].values():
        only(steps, 'SampleFrames').num_clips = 2
    for part in (cfg.model, *parts(cfg.model)):
        part.pop('checkpoint', None)
        if part.get('backbone', {}).get('type') == 'mmaction_kd.VTN' and 'tiny' not in cfg.filename:
            arch = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
            part.backbone.spatial_backbone = dict(
                type='mmpretrain.VisionTransformer', arch=arch, out_type='cls_token'
            )
            part.backbone.update(embed_dims=24, num_heads=2)
            part.cls_head.in_channels = 24
    cfg.load_from = None
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.save_best = None
    cfg.work_dir = str(tmp_path)
    return cfg


@pytest.mark.slow
@each_config
def test_two_iterations_and_a_test(path, tiny_videos, tmp_path):
    cfg = shrink(Config.fromfile(path), tiny_videos, tmp_path)
    runner = Runner.from_cfg(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2
    assert any(not torch.equal(value, before[n]) for n, value in runner.model.named_parameters())
    assert all(value.isfinite().all() for value in runner.model.parameters())
    kinds = ('fused', 'local', 'global') if 'local_pathway' in cfg.model else ()
    names = [f'acc/{kind}_top1' for kind in kinds] or ['acc/top1']
    metrics = runner.test()
    assert all(0 <= metrics[name] <= 1 for name in names)
