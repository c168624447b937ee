"""Every config of configs/: what must hold between its parts, and that it runs."""

import ast
import copy
import functools
import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmaction_kd.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
LEAVES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
CLASSES = dict(k400=400, ucf101=101, hmdb51=51, sthv2=174, tiny=4)
# The subsets of the first quartile (DTKD, section 4.1), and of the median for the tiny set.
STATIC = dict(ucf101=26, hmdb51=13, tiny=2)
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')

STUDENTS = [path for path in LEAVES if path.stem.startswith(('dtkd_', 'bskd_'))]

each_config = pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
# What is built and run: the other splits differ from the first in the names of files alone.
each_model = pytest.mark.parametrize(
    'path', [p for p in LEAVES if not re.search('_split[23]', p.stem)], ids=lambda path: path.stem
)
each_student = pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def mmaction_scope():
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


@functools.cache
def _read(path):
    return Config.fromfile(path)


def read(path):
    """A config, parsed once for all tests."""
    return copy.deepcopy(_read(path))


def build(cfg):
    """The model, without weights: that of a paper has some hundred million."""
    # mmpretrain's ResNet, which only the tiny config has, can't be built without.
    device = 'cpu' if 'mmpretrain.ResNet' in str(cfg.model) else 'meta'
    with torch.device(device):
        return MODELS.build(cfg.model)


def data_set(loader):
    """What a loader reads: the data set itself, also where a wrapper chooses a subset of it."""
    return loader.dataset.get('dataset', loader.dataset)


def student(model):
    """The recognizer that a config trains, also where teachers stand beside it."""
    return model.get('student', model)


def data_of(path):
    """The data set that a config is named after."""
    (name,) = set(CLASSES) & set(path.stem.split('_'))
    return name


def subset_sizes(path):
    static = STATIC[data_of(path)]
    return dict(static=static, dynamic=CLASSES[data_of(path)] - static)


def write_subsets(path, target):
    """A file of subsets as large as those of the config, with label 0 static and 1 dynamic."""
    count, static = CLASSES[data_of(path)], subset_sizes(path)['static']
    names = [f'class{label}' for label in range(count)]
    still = [names[0], *names[2 : static + 1]]
    moving = [name for name in names if name not in still]
    content = dict(classes=names, subsets=dict(dynamic=moving, static=still))
    target.write_text(json.dumps(content))
    return str(target)


def pipelines(cfg):
    """For each loader that the config has: the stock pipelines, by pathway ('' for one model)."""
    found = {}
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            steps = data_set(cfg[loader]).pipeline
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


@each_model
def test_a_dumped_config_is_the_same(path, tmp_path):
    cfg = read(path)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@each_model
def test_model_and_pipelines_build(path, tmp_path):
    cfg = read(path)
    if path in STUDENTS:
        cfg.model.distill_loss.subsets = write_subsets(path, tmp_path / 'subsets.json')
    build(cfg)
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            Compose(data_set(cfg[loader]).pipeline)


@each_config
def test_heads_have_the_classes_of_the_data_set(path):
    subset = {'static', 'dynamic'} & set(path.stem.split('_'))
    classes = subset_sizes(path)[subset.pop()] if subset else CLASSES[data_of(path)]
    model = student(read(path).model)
    pathways = [value for key, value in model.items() if key.endswith('_pathway')] or [model]
    assert [pathway.cls_head.num_classes for pathway in pathways] == [classes] * len(pathways)


@each_config
def test_vtn_knows_the_stride_that_its_frames_have(path):
    cfg = read(path)
    for loader, by_pathway in pipelines(cfg).items():
        for name, steps in by_pathway.items():
            backbone = (cfg.model[name] if name else student(cfg.model)).backbone
            if backbone.type == 'mmaction_kd.VTN':
                sampled = only(steps, 'SampleFrames').frame_interval
                assert sampled == backbone.frame_interval, (loader, name)


@each_config
def test_the_views_are_one_but_in_the_test_thirty(path):
    for loader, by_pathway in pipelines(read(path)).items():
        for steps in by_pathway.values():
            crops = 3 if any('ThreeCrop' in step.type for step in steps) else 1
            views = only(steps, 'SampleFrames').num_clips * crops
            tested = 3 if path.parent.name == 'dtkd' and 'tiny' in path.stem else 30
            assert views == (tested if loader == 'test_dataloader' else 1)


@each_config
def test_only_training_is_random(path):
    for loader, by_pathway in pipelines(read(path)).items():
        for steps in by_pathway.values():
            random = any(re.search(r'Random|Flip|Jitter', step.type) for step in steps)
            sampled_at_random = not only(steps, 'SampleFrames').get('test_mode', False)
            assert random == sampled_at_random == (loader == 'train_dataloader')


@each_config
def test_no_flip_where_a_class_is_a_direction(path):
    if {'sthv2', 'tiny'} & set(path.stem.split('_')):
        for steps in pipelines(read(path))['train_dataloader'].values():
            assert all(step.get('flip_ratio', 0) == 0 for step in steps)


@each_config
def test_batch_on_eight_devices_is_the_papers(path):
    cfg = read(path)
    if 'tiny' not in path.stem:
        mutual = cfg.model.type == 'mmaction_kd.MBDRecognizer'
        assert 8 * cfg.train_dataloader.batch_size == (32 if mutual else 64)
        if path.parent.name == 'dtkd':  # the rate is stated, for the 8 videos of the code below it
            assert cfg.optim_wrapper.optimizer.lr == 1e-3
            assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=8)
        else:
            assert cfg.auto_scale_lr.base_batch_size == (32 if mutual else 64)


@each_config
def test_learning_rate_ends_at_zero_with_the_last_epoch(path):
    cfg = read(path)
    last = cfg.param_scheduler[-1]
    assert last.type == 'CosineAnnealingLR' and last.eta_min == 0
    assert last.T_max == cfg.train_cfg.max_epochs


@each_config
def test_resuming_is_exact(path):
    """What EpochSeedHook needs: test_resume.py shows that it then is."""
    cfg = read(path)
    assert cfg.default_hooks.epoch_seed.type == 'mmaction_kd.EpochSeedHook'
    assert cfg.randomness.seed is not None
    assert not cfg.train_dataloader.get('persistent_workers', False)


@each_config
def test_lists_of_videos_are_those_of_the_split(path):
    cfg = read(path)
    lists = {loader: data_set(cfg[loader]).ann_file for loader in LOADERS if cfg.get(loader)}
    assert 'train' in lists['train_dataloader'] and 'train' not in lists['test_dataloader']
    assert lists.get('val_dataloader', lists['test_dataloader']) == lists['test_dataloader']
    split = re.search(r'_split(\d)', path.stem)
    if split:
        assert all(f'_split_{split[1]}_' in name for name in lists.values())
    prefixes = {data_set(cfg[loader]).data_prefix.video for loader in LOADERS if cfg.get(loader)}
    folders = {Path(name).parts[1] for name in (*lists.values(), *prefixes)}
    assert len(folders) == 1 and folders <= {data_of(path), 'kinetics400', 'demo'}


@each_config
def test_subsets_are_those_of_the_split(path):
    """Wherever a part of a config names the subsets, it names the same file."""
    cfg = read(path)
    if 'subsets' in cfg:
        used = set(re.findall(r"'subsets': '([^']*)'", str(cfg.to_dict())))
        split = re.search(r'_split\d', path.stem)
        folder = 'demo' if 'tiny' in path.stem else data_of(path)
        assert used == {cfg.subsets} == {f'data/{folder}/subsets{split[0] if split else ""}.json'}


@each_config
def test_a_teacher_learns_its_subset(path):
    chosen = {'static', 'dynamic'} & set(path.stem.split('_'))
    cfg = read(path)
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            assert {cfg[loader].dataset.get('subset')} - {None} == chosen


@each_student
def test_teachers_are_those_of_the_same_data_and_size(path):
    """A teacher is what its own config leaves, and differs from the student in its classes."""
    model = read(path).model
    assert sorted(model.teachers) == ['dynamic', 'static']
    for name, teacher in model.teachers.items():
        file = path.parent / Path(teacher.config).name
        assert teacher.config == f'mmaction_kd::dtkd/{file.name}'
        epochs = read(file).train_cfg.max_epochs
        assert teacher.checkpoint == f'work_dirs/{file.stem}/epoch_{epochs}.pth'
        theirs = get_config(teacher.config)
        assert theirs.subsets == read(path).subsets
        assert theirs.train_dataloader.dataset.subset == name
        recognizer = theirs.model
        for pathway in (recognizer.backbone.slow_pathway, recognizer.backbone.fast_pathway):
            for key in ('frozen_stages', 'norm_eval'):  # LT
                pathway.pop(key, None)
        recognizer.cls_head.num_classes = model.student.cls_head.num_classes
        assert recognizer == model.student


@each_student
def test_a_students_checkpoint_is_its_baselines(path):
    """The plain config of the same data builds the model that the student's checkpoint is of."""
    baseline = re.sub(r'^[db][ts]kd_.*?(?=tiny|slowfast)', '', path.stem)
    assert read(path).model.student == read(path.parent / f'{baseline}.py').model


@each_config
def test_header_has_the_command_of_this_file(path):
    header = ast.get_docstring(ast.parse(path.read_text()))
    command = f'tools/dist_train.sh {path.relative_to(CONFIGS.parent)} '
    assert re.search(rf'^ *{re.escape(command)}\d+$', header, re.MULTILINE)


@each_config
def test_weights_to_start_from_are_what_another_config_leaves(path):
    cfg = read(path)
    named = [cfg.load_from, *(part.get('checkpoint') for part in parts(cfg.model))]
    if path.parent.name == 'dtkd' and 'tiny' not in path.stem:  # what the converter leaves
        (recognizer,) = re.findall(r'slowfast_r\d+_\d+x8', path.stem)
        assert named.pop(0) == f'work_dirs/{recognizer}_k400.pth'
    for checkpoint in filter(None, named):
        name, epoch = re.fullmatch(r'work_dirs/(\w+)/epoch_(\d+)\.pth', checkpoint).groups()
        assert read(path.parent / f'{name}.py').train_cfg.max_epochs == int(epoch)


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


def shrink_slowfast(cfg, subsets):
    """16 frames of 64 pixels."""
    for by_pathway in pipelines(cfg).values():
        only(by_pathway[''], 'SampleFrames').clip_len = 16
        for step in by_pathway['']:
            for key, value in dict(
                scale=(-1, 64), scale_range=(64, 80), size=64, crop_size=64
            ).items():
                if key in step:
                    step[key] = value
    places = [cfg[loader].dataset for loader in LOADERS if cfg.get(loader)]
    places += [cfg.get('val_evaluator'), cfg.test_evaluator, cfg.model.get('distill_loss')]
    for place in filter(None, places):
        if 'subsets' in place:
            place.subsets = subsets
    for teacher in cfg.model.get('teachers', {}).values():
        teacher.checkpoint = None


def shrink(path, videos, tmp_path):
    """Two small videos, 6 test views, small models and frames: types and pipelines stay."""
    cfg = read(path)
    lines = [f'{videos[name]} {label}' for label, name in enumerate(('long', 'short'))]
    (tmp_path / 'videos.txt').write_text('\n'.join(lines))
    for loader in LOADERS:
        if cfg.get(loader) is not None:
            cfg[loader].update(batch_size=1, num_workers=0, persistent_workers=False)
            data_set(cfg[loader]).update(
                ann_file=str(tmp_path / 'videos.txt'), data_prefix=dict(video='')
            )
    for steps in pipelines(cfg)['test_dataloader'].values():
        only(steps, 'SampleFrames').num_clips = 2
    if path.parent.name == 'dtkd':
        shrink_slowfast(cfg, write_subsets(path, tmp_path / 'subsets.json'))
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
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False, save_best=None)
    cfg.work_dir = str(tmp_path)
    return cfg


@pytest.mark.slow
@each_model
def test_an_epoch_and_a_test(path, tiny_videos, tmp_path):
    cfg = shrink(path, tiny_videos, tmp_path)
    runner = Runner.from_cfg(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == (1 if 'subset' in cfg.train_dataloader.dataset else 2)
    assert any(not torch.equal(value, before[n]) for n, value in runner.model.named_parameters())
    assert all(value.isfinite().all() for value in runner.model.parameters())
    kinds = ('fused', 'local', 'global') if 'local_pathway' in cfg.model else ()
    names = [f'acc/{kind}_top1' for kind in kinds] or ['acc/top1']
    metrics = runner.test()
    assert all(0 <= metrics[name] <= 1 for name in names)
